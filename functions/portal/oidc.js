/*
 * Sign-in at any OpenID provider: authorization code with PKCE, a public client, no secret.
 *
 * What is learned lives in sessionStorage. A tab keeps its own person (two accounts in two tabs),
 * survives a reload and the way to Checkout and back, and forgets with the tab; no other tab and
 * no later visit can read it. Memory alone would ask for a sign-in at each return from payment.
 * The page's content-security policy and Trusted Types are what keeps foreign script away.
 */
const SESSION = "billing.session";
const ATTEMPT = "billing.sign-in";
/** A sign-in that took longer than this is started anew (ms). */
const ATTEMPT_LIFETIME = 10 * 60_000;

/** Why a sign-in did not happen, in words for the person. */
export class SignInFailed extends Error {}

const REFUSALS = {
  access_denied: "Sign-in was cancelled, or you are not allowed to use this page.",
  login_required: "Your sign-in provider asks you to sign in again.",
  temporarily_unavailable: "Your sign-in provider is busy. Try again in a moment.",
  server_error: "Your sign-in provider had a problem. Try again in a moment.",
};
const EXPIRED = "That sign-in has expired or was started in another tab. Sign in again.";
const UNREACHABLE = "Your sign-in provider cannot be reached. Check your connection and try again.";
const MISTAKEN = "Your sign-in provider’s answer does not belong to this page. Sign in again.";

export class Provider {
  #issuer;
  #client;
  #scope;
  #audience;
  #home;
  #discovered;

  /** `home` is the one redirect URI that the provider must know; sign-out leads there as well. */
  constructor({ issuer, client, scope, audience, home }) {
    this.#issuer = issuer;
    this.#client = client;
    this.#scope = scope;
    this.#audience = audience;
    this.#home = home;
  }

  /** `{token, person}` while the session lasts, else null. */
  get session() {
    const held = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
    return held && held.expires > Date.now() ? held : null;
  }

  forget() {
    sessionStorage.removeItem(SESSION);
  }

  /** Leave for the provider; `search` is what the page's address has again afterwards. */
  async signIn(search = "") {
    const { authorization_endpoint: endpoint } = await this.#discover();
    const attempt = {
      verifier: random(),
      state: random(),
      nonce: random(),
      search,
      at: Date.now(),
    };
    sessionStorage.setItem(ATTEMPT, JSON.stringify(attempt));
    const parameters = {
      response_type: "code",
      client_id: this.#client,
      redirect_uri: this.#home,
      scope: this.#scope,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await challengeOf(attempt.verifier),
      code_challenge_method: "S256",
      ...(this.#audience && { audience: this.#audience }),
    };
    location.assign(withParameters(endpoint, parameters));
  }

  /**
   * Finish the sign-in that `location` brings back, or do nothing when it brings none.
   *
   * The code leaves the address bar and the history first. Raises SignInFailed.
   */
  async completeSignIn() {
    const answer = new URLSearchParams(location.search);
    if (!answer.has("state") || !(answer.has("code") || answer.has("error"))) return;
    const attempt = JSON.parse(sessionStorage.getItem(ATTEMPT) ?? "null");
    sessionStorage.removeItem(ATTEMPT);
    const own = attempt?.state === answer.get("state");
    history.replaceState(null, "", `/${own ? attempt.search : ""}`);
    if (!own || Date.now() - attempt.at > ATTEMPT_LIFETIME) throw new SignInFailed(EXPIRED);
    if (answer.has("error")) throw new SignInFailed(refusal(answer));
    const configuration = await this.#discover();
    if (answer.has("iss") && answer.get("iss") !== configuration.issuer)
      throw new SignInFailed(MISTAKEN);
    this.#keep(
      await this.#redeem(configuration, answer.get("code"), attempt),
      attempt,
      configuration,
    );
  }

  /** Forget here and at the provider, which leads back to the page if it can. */
  async signOut() {
    const hint = this.session?.hint;
    this.forget();
    const { end_session_endpoint: endpoint } = await this.#discover().catch(() => ({}));
    if (!endpoint) return location.assign(this.#home);
    const parameters = {
      client_id: this.#client,
      post_logout_redirect_uri: this.#home,
      // Cognito's own name for the same thing; others ignore it, as the standard asks.
      logout_uri: this.#home,
      ...(hint && { id_token_hint: hint }),
    };
    location.assign(withParameters(endpoint, parameters));
  }

  async #redeem({ token_endpoint: endpoint }, code, { verifier }) {
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: this.#home,
      client_id: this.#client,
      code_verifier: verifier,
    });
    const response = await fetch(endpoint, { method: "POST", body }).catch(() => null);
    if (!response) throw new SignInFailed(UNREACHABLE);
    const answer = await response.json().catch(() => ({}));
    if (response.ok && answer.access_token) return answer;
    throw new SignInFailed(answer.error === "invalid_grant" ? EXPIRED : MISTAKEN);
  }

  /** TLS vouches for an id token that comes straight from the provider (OIDC Core 3.1.3.7). */
  #keep(tokens, { nonce }, { issuer }) {
    const claims = tokens.id_token ? claimsOf(tokens.id_token) : {};
    const own = claims.iss === issuer && claims.nonce === nonce;
    if (!own || ![claims.aud].flat().includes(this.#client)) throw new SignInFailed(MISTAKEN);
    const lifetime = tokens.expires_in ?? claims.exp - Date.now() / 1000;
    const session = {
      token: tokens.access_token,
      hint: tokens.id_token,
      person: claims.name ?? claims.email ?? claims.sub,
      email: claims.email ?? null,
      expires: Date.now() + lifetime * 1000,
    };
    sessionStorage.setItem(SESSION, JSON.stringify(session));
  }

  async #discover() {
    this.#discovered ??= await discover(this.#issuer);
    return this.#discovered;
  }
}

async function discover(issuer) {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  try {
    const response = await fetch(address);
    const configuration = await response.json();
    if (configuration.issuer === issuer) return configuration;
  } catch {
    throw new SignInFailed(UNREACHABLE);
  }
  throw new SignInFailed(MISTAKEN);
}

function refusal(answer) {
  const known = REFUSALS[answer.get("error")];
  return (
    known ?? "Your sign-in provider refused to sign you in. Try again, or ask your administrator."
  );
}

function withParameters(endpoint, parameters) {
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(digest));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function claimsOf(jwt) {
  const payload = jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
