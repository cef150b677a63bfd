/** Resolves after `ms`, in a tab that is in view, or when `signal` is aborted. */
export function sleep(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      if (!document.hidden || signal.aborted) resolve();
      else document.addEventListener("visibilitychange", done, { once: true });
    };
    setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
