/* The page by itself: it signs a person in and hands their token to the Billing tab. */
import "./billing-tab.js";
import { h } from "./dom.js";
import { Provider, SignInFailed } from "./oidc.js";

const part = (id) => document.getElementById(id);
const setting = (name) => document.querySelector(`meta[name="${name}"]`).content;

const provider = new Provider({
  issuer: setting("oidc-issuer"),
  client: setting("oidc-client-id"),
  scope: setting("oidc-scope"),
  audience: setting("api-audience"),
  home: `${location.origin}/`,
});

function showTab({ person, email }) {
  part("entrance").hidden = true;
  part("person").hidden = false;
  part("person-name").textContent = person;
  part("person-name").title = email ?? "";
  const back = new URLSearchParams(location.search);
  const asked = ["checkout", "card", "credits"].map((name) => [name, back.get(name)]);
  const tab = h("billing-tab", Object.fromEntries(asked));
  tab.getToken = ({ renew }) => (renew ? null : provider.session?.token);
  tab.addEventListener("billing-signed-out", () =>
    showEntrance("Your session has ended. Sign in again."),
  );
  tab.addEventListener("billing-checkout-settled", () => history.replaceState(null, "", "/"));
  part("main").append(tab);
}

function showEntrance(problem = null) {
  provider.forget();
  document.querySelector("billing-tab")?.remove();
  part("person").hidden = true;
  part("entrance").hidden = false;
  part("entrance-problem").hidden = problem === null;
  part("entrance-problem").textContent = problem;
}

/** Run a step of the sign-in; what goes wrong in it is shown at the entrance. */
async function attempt(step) {
  try {
    await step();
    return true;
  } catch (error) {
    if (!(error instanceof SignInFailed)) throw error;
    showEntrance(error.message);
    return false;
  }
}

part("sign-in").addEventListener("click", async ({ currentTarget: control }) => {
  if (control.getAttribute("aria-disabled")) return;
  control.setAttribute("aria-disabled", "true");
  await attempt(() => provider.signIn(location.search));
  control.removeAttribute("aria-disabled");
});
part("sign-out").addEventListener("click", () => provider.signOut());

/* Coming back through the history, after a sign-out for one: who is signed in may have changed. */
addEventListener("pageshow", (event) => {
  if (event.persisted && !provider.session) showEntrance();
});

if (await attempt(() => provider.completeSignIn())) {
  if (provider.session) showTab(provider.session);
  else showEntrance();
}
