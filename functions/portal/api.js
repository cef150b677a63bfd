/** What an answer that is no success means: `code` is stable, `detail` is for people. */
export class Problem extends Error {
  /** `more` is the whole answer: some problems say where to pay, who is concerned, or a new price. */
  constructor({ status, code, detail, errors = [], more = {}, retryAfter = null, requestId = null }) {
    super(detail);
    this.name = "Problem";
    Object.assign(this, { status, code, detail, errors, more, retryAfter, requestId });
  }

  /** The same request may succeed later, so its idempotency key must be kept. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const OFFLINE = "The billing service cannot be reached. Check your connection and try again.";
const UNREADABLE = "The billing service answered with something unexpected. Try again in a moment.";
const LONGEST_WAIT_SECONDS = 8;
const MAX_WAITS = 2;

/** A query of what is given of `query`, for an address. */
export function search({ filtered, ...query }) {
  const given = Object.entries(query).filter(([, value]) => value);
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}

export class Api {
  #base;
  #token;
  #renewals = new Map();

  /** `token({renew})` hands the bearer token; it is asked with `renew: true` once after a 401. */
  constructor(base, token) {
    this.#base = base.replace(/\/$/, "");
    this.#token = token;
  }

  get(path, { signal } = {}) {
    return this.#send(path, { method: "GET", signal });
  }

  /** One part of a CSV file, and the cursor of the next, null after the last. */
  getCsv(path, { signal } = {}) {
    const headers = { accept: "text/csv" };
    return this.#send(path, { method: "GET", headers, signal }, readCsv);
  }

  /** `key` is the intent's idempotency key: the same repeats the request, another asks anew. */
  order(method, path, body, { key, signal } = {}) {
    const headers = key ? { "idempotency-key": key } : {};
    if (body) headers["content-type"] = "application/json";
    return this.#send(path, { method, headers, body: body && JSON.stringify(body), signal });
  }

  async #send(path, request, read = readJson) {
    let refused = null;
    for (let waits = 0; ;) {
      const token = await this.#bearer(refused);
      const response = await this.#fetch(path, request, token);
      if (response.ok) return read(response);
      const problem = await readProblem(response);
      if (problem.status === 401 && refused === null) {
        refused = token;
      } else if (waits < MAX_WAITS && problem.retryAfter !== null) {
        waits += 1;
        await pause(problem.retryAfter, request.signal);
      } else {
        throw problem;
      }
    }
  }

  /** A host is asked to renew a refused token once, however many requests it was refused to. */
  async #bearer(refused) {
    if (refused !== null && !this.#renewals.has(refused)) {
      this.#renewals.set(refused, this.#token({ renew: true }));
    }
    const renewed = this.#renewals.get(refused);
    const token = await (refused === null ? this.#token({ renew: false }) : renewed);
    if (!token) throw signedOut();
    return token;
  }

  async #fetch(path, request, token) {
    const headers = { accept: "application/json", ...request.headers };
    headers.authorization = `Bearer ${token}`;
    try {
      return await fetch(this.#base + path, { ...request, headers, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ status: 0, code: "offline", detail: OFFLINE });
    }
  }
}

function signedOut() {
  return new Problem({ status: 401, code: "signed_out", detail: "Sign in to go on." });
}

async function readJson(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 502, code: "unreadable", detail: UNREADABLE });
  }
}

/** As it is: reading it as text would drop the byte order mark. */
async function readCsv(response) {
  return { part: await response.blob(), next: response.headers.get("x-next-cursor") };
}

async function readProblem(response) {
  const body = await response.json().catch(() => ({}));
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const waits = [429, 503].includes(response.status) && seconds <= LONGEST_WAIT_SECONDS;
  return new Problem({
    status: response.status,
    code: body.code ?? "unexpected",
    detail: body.detail ?? body.title ?? UNREADABLE,
    errors: body.errors,
    more: body,
    retryAfter: waits ? seconds : null,
    requestId: response.headers.get("x-request-id"),
  });
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
