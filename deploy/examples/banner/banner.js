// Shows a person what concerns their way of signing in, as GET /v0/backend_statuses of watchofficer tells it, and of what
// was declared for some states what concerns their own, as GET /login_gov_state_incidents tells it.
// The watch may be away: the page then works as if all were well, after it has kept what it last knew for a while.
"use strict";

const EVERY = 30_000; // ms between two questions
const PATIENCE = 5_000; // ms for an answer
const KEPT = 15 * 60_000; // ms for which an answer is shown if no other comes
const AHEAD = 2 * 3_600_000; // ms before its start from which maintenance is announced
const LEVELS = { error: "critical", warning: "warning", info: "info" }; // of what was declared for states
const METHODS = ["sis", "ssoe"]; // their names mean nothing to people
const SORRY = "We’re working to fix this.";

const place = document.getElementById("banners");
const visitor = new URLSearchParams(location.search);
const api = visitor.get("api") || location.origin;
let answered = -Infinity; // when the last answer came, by the clock that never goes back

async function get(path, names) {
  const url = new URL(path, api);
  for (const name of names) {
    if (visitor.get(name)) url.searchParams.set(name, visitor.get(name));
  }
  // "no-cache" asks the server each time, with the ETag: what has not changed is not sent again.
  const answer = await fetch(url, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${path}: status ${answer.status}`);
  const isKnown = answer.headers.get("Watchofficer-State") !== "unknown";
  return { ...(await answer.json()).data.attributes, isKnown };
}

async function ask() {
  const lives = visitor.get("state");
  const [told, declared] = await Promise.all([
    get("/v0/backend_statuses", ["auth_method", "csp", "client_id"]),
    lives ? get("/login_gov_state_incidents", []) : { incidents: [] }, // the states of a person are nobody's business
  ]);
  const incidents = declared.incidents.filter((one) => one.active && one.states.includes(lives));
  return { statuses: told.statuses, windows: told.maintenance_windows, incidents, isKnown: told.isKnown };
}

// What to show: a list of {state, title, text, ways}; ways are links to another method.
function banners({ statuses, windows, incidents }, now) {
  const shown = [];
  const failing = statuses.filter((one) => one.status === "critical" || one.status === "warning");
  if (failing.length > 1) {
    const title = "You may have trouble signing in or using some tools or services";
    shown.push({ state: worst(failing), title, text: `${SORRY} Please try again later.`, ways: [] });
  } else if (failing.length === 1) {
    shown.push(ofService(failing[0]));
  }
  for (const { status, title, message } of incidents) {
    shown.push({ state: LEVELS[status], title, text: message, ways: [] });
  }
  const window = windows.find((one) => Date.parse(one.start_time) - AHEAD <= now && now < Date.parse(one.end_time));
  if (window) {
    const name = statuses.find((one) => one.service_id === window.external_service).service;
    const isMethod = METHODS.includes(window.external_service);
    const title = isMethod ? "Maintenance of signing in" : `Maintenance of signing in with ${name}`;
    const form = { dateStyle: "medium", timeStyle: "short" };
    const when = [window.start_time, window.end_time].map((at) => new Date(at).toLocaleString(undefined, form));
    shown.push({ state: "maintenance", title, text: `From ${when[0]} to ${when[1]}. ${window.description}`, ways: [] });
  }
  return shown;
}

function worst(failing) {
  return failing.some((one) => one.status === "critical") ? "critical" : "warning";
}

function ofService({ service, service_id: id, status, alternatives }) {
  const others = alternatives || [];
  const providers = others.filter((one) => !METHODS.includes(one.service_id)).map((one) => one.service);
  const instead = providers.length ? ` You can still sign in using your ${providers.join(" or ")} account.` : "";
  let title = `You may have trouble signing in with ${service}`;
  if (id === "mvi") title = "You may have trouble signing in or using some tools or services";
  if (METHODS.includes(id)) {
    title = status === "critical" ? "Our sign in process isn’t working right now" : "You may have trouble signing in";
  }
  const ways = providers.length ? [] : others.filter((one) => METHODS.includes(one.service_id));
  const text = `${SORRY}${instead || (ways.length ? "" : " Please try again later.")}`;
  return { state: status, title, text, ways };
}

function show(list) {
  place.replaceChildren(
    ...list.map(({ state, title, text, ways }) => {
      const banner = document.createElement("section");
      banner.className = `banner ${state}`;
      const head = document.createElement("h2");
      head.textContent = title;
      const words = document.createElement("p");
      words.textContent = text;
      banner.append(head, words);
      for (const way of ways) {
        const query = new URLSearchParams(visitor);
        query.set("auth_method", way.service_id);
        const link = document.createElement("a");
        link.href = `?${query}`;
        link.dataset.authMethod = way.service_id;
        link.textContent = "Sign in another way";
        words.append(" ", link);
      }
      return banner;
    }),
  );
}

async function refresh() {
  try {
    const told = await ask();
    const list = banners(told, Date.now()); // first, as an answer of another form throws
    answered = performance.now();
    show(list);
    place.dataset.state = told.isKnown ? "known" : "unknown";
  } catch (error) {
    console.warn("the state of sign-in is not known:", error);
    if (performance.now() - answered > KEPT) show([]);
    place.dataset.state = "away";
  }
  place.dataset.asked = String(Number(place.dataset.asked || 0) + 1);
}

for (const [name, value] of visitor) {
  const field = document.querySelector(`[name="${CSS.escape(name)}"]`);
  if (field) field.value = value;
}
setInterval(() => document.hidden || refresh(), EVERY);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
