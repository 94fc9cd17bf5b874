"use strict";
(() => {
  const EVERY = 2000; // ms between polls
  const LATE = 30, BLIND = 60; // seconds behind the clock; 60 s is what the dead man's rule pages at
  const POINTS = 360; // an hour at one point each 10 s
  const { axes: AXES, values: VALUES } = JSON.parse(document.getElementById("values").textContent); // of the policy
  const ACTIONS = {
    ack: { label: "Acknowledge", done: "Acknowledged", what: "You have seen it and are working on it. Escalation stops.", text: "Note (optional)" },
    declare: { label: "Declare", done: "Declared", what: "You confirm a service outage. An incident is declared in Datadog.", text: "Note (optional)" },
    resolve: { label: "Resolve", done: "Resolved", what: "Sign-in works again. It is resolved everywhere, and the banner comes down.", text: "What mended it (optional)" },
    retire: { label: "Nobody uses it", done: "Retired", what: "Nobody will use this any more: its silence resolves, and wakes nobody until it is used again.", text: "Why (optional)" },
    note: { label: "Add note", done: "Noted", what: "It goes on the incident's timeline.", text: "Note" },
  };
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);
  const history = new Map(); // "scope|window" -> [{at, ratio, users}]
  let env = "prod", token = "", by = "", failures = 0, drawn = "", asking = null, loaded = false;

  // ---- building -------------------------------------------------------------------------------

  /** An element; text goes in as text, never as HTML. */
  function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function shape(name, attributes) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    return node;
  }

  /** A line over the last hour. Gaps stay gaps; where nothing is known nothing is drawn. */
  function spark(points, value, low, high, label) {
    const width = 300, height = 44, pad = 3;
    const svg = shape("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
    svg.append(shape("line", { class: "base", x1: 0, x2: width, y1: height - pad, y2: height - pad }));
    if (!points.length) return svg;
    const end = points[points.length - 1].at, start = end - 3600000;
    const x = (at) => ((at - start) / (end - start)) * width;
    const y = (v) => height - pad - ((Math.min(Math.max(v, low), high) - low) / (high - low || 1)) * (height - 2 * pad);
    let line = "", area = "", runStart = null, before = null;
    const close = () => { if (runStart !== null) area += `L${before.toFixed(1)},${height - pad}L${runStart.toFixed(1)},${height - pad}Z`; runStart = null; };
    for (const point of points) {
      const v = value(point);
      if (point.at < start) continue;
      if (v === null) { close(); continue; }
      const at = `${x(point.at).toFixed(1)},${y(v).toFixed(1)}`;
      line += (runStart === null ? "M" : "L") + at;
      area += (runStart === null ? "M" : "L") + at;
      if (runStart === null) runStart = x(point.at);
      before = x(point.at);
    }
    close();
    svg.append(shape("path", { class: "area", d: area }), shape("path", { class: "line", d: line }));
    return svg;
  }

  // ---- words ----------------------------------------------------------------------------------

  const whole = (n) => Math.round(n).toLocaleString("en-US");
  const error = (share) => share ? `, ±${(share * 100).toPrecision(2)}%` : "";
  const people = (n) => `${whole(n)} ${n === 1 ? "person" : "people"}`;

  function percent(ratio) {
    if (ratio === null || ratio === undefined) return "–";
    if (ratio === 1) return "100 %";
    const shown = ratio > 0.99 ? (Math.floor(ratio * 10000) / 100).toFixed(2) : (ratio * 100).toFixed(1);
    return `${shown} %`;
  }

  function ago(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 90) return `${s} s`;
    if (s < 5400) return `${Math.round(s / 60)} min`;
    return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  }

  /** The viewer's own time; the instant in UTC on hovering. */
  function time(text, more = {}) {
    const shown = new Date(text).toLocaleString("en-US", { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more });
    return el("time", { datetime: text, title: text }, shown);
  }

  function scopeName(scope) {
    const [at, ...values] = scope.split("/");
    const named = AXES.map((axis, i) => [axis, values[i]]).filter(([, value]) => value && value !== "*");
    const of = Object.fromEntries(named.map(([axis, value]) => [axis, valueName(axis, value)]));
    const { auth_method: method, csp: provider, client_id: client, ...others } = of;
    const what = provider ? `${provider} on ${method || "all sign-in methods"}` : method ? `${method} sign-in` : named.length ? "Sign-in" : "All sign-in";
    const rest = Object.entries(others).map(([axis, name]) => `, ${axis} ${name}`).join("");
    return `${what}${client ? ` by ${client}` : ""}${rest}${at === "prod" ? "" : ` (${at})`}`;
  }

  /** What people call a value of an axis. */
  function valueName(axis, value) {
    return VALUES[axis]?.[value]?.name || value;
  }

  /** The values of an axis that the policy lists and that have not retired, as [value, what is known of it]. */
  function current(axis) {
    return Object.entries(VALUES[axis] || {}).filter(([, known]) => !known.retired || Date.parse(known.retired) > Date.now());
  }

  /** The axis and value that an incident says have fallen silent; null where it says more, or names several values. */
  function fallenSilent(incident) {
    const [, ...values] = incident.scope.split("/");
    const named = AXES.map((axis, i) => [axis, values[i]]).filter(([, value]) => value && value !== "*" && value !== "other");
    return incident.causes.join() === "silence" && named.length === 1 ? named[0] : null;
  }

  /** The path of an auth method in the environment that is shown. */
  function methodScope(method) {
    return [env, ...AXES.slice(0, AXES.indexOf("auth_method")).map(() => "*"), method].join("/");
  }

  // ---- drawing --------------------------------------------------------------------------------

  /** Whether an incident's scope has a part in an auth method. */
  function touches(scope, method) {
    const [at, ...values] = scope.split("/");
    const by = values[AXES.indexOf("auth_method")];
    return at === env && (by === undefined || by === "*" || by === method);
  }

  function drawMethods(slis, statuses, open) {
    const cards = current("auth_method").map(([method, known]) => {
      const scope = methodScope(method), name = known.name;
      const of = (window) => slis.find((sli) => sli.scope === scope && sli.window === window) || null;
      const now = of("5m"), hour = of("1h");
      const ratio = now ? now.success_ratio : null, users = hour ? hour.users_impacted : null;
      const status = statuses[method] || {};
      const worst = Math.min(9, ...open.filter((incident) => touches(incident.scope, method)).map((incident) => incident.severity));
      const level = { 1: "bad", 2: "warn" }[worst];
      const banner = env === "prod" && status[known.banner] ? el("span", { class: "tag", "data-is": status[known.banner] }, `banner: ${status[known.banner] === "active" ? "none" : status[known.banner]}`) : null;
      const figure = (title, big, line, ...minor) =>
        el("div", { "data-level": level }, el("dt", {}, title), el("dd", {}, el("div", { class: "big" }, big), line, ...minor.map((text) => el("div", { class: "minor" }, text))));
      const five = history.get(`${scope}|5m`) || [], sixty = history.get(`${scope}|1h`) || [];
      const ratios = five.map((p) => p.ratio).filter((v) => v !== null);
      const low = Math.min(0.95, ...ratios), most = Math.max(50, ...sixty.map((p) => p.users));
      return el("article", { class: "card", "aria-label": name },
        el("h3", {}, el("span", {}, name, " ", el("small", {}, scope)), banner),
        el("dl", { class: "figures" },
          figure("Success, last 5 min", percent(ratio),
            spark(five, (p) => p.ratio, low, 1, `Success of ${name} over the last hour, now ${percent(ratio)}`),
            ratios.length ? `lowest in the hour ${percent(Math.min(...ratios))}` : "no data yet",
            now ? `now ${whole(now.good)} good, ${whole(now.bad)} bad` : "",
            now && now.latency_ratio !== null ? `${percent(now.latency_ratio)} fast enough` : ""),
          figure("People impacted, last hour", users === null ? "–" : `${whole(users)}${error(hour.users_impacted_error)}`,
            spark(sixty, (p) => p.users, 0, most, `People impacted on ${name} over the last hour, now ${users ?? "unknown"}`),
            sixty.length ? `most in the hour ${whole(Math.max(...sixty.map((p) => p.users)))}` : "no data yet")),
        env === "prod" ? el("ul", { class: "providers", "aria-label": `Banner of each provider, for people who use ${name}` },
          ...current("csp").filter(([, one]) => one.banner).map(([, { banner: id, name: label }]) => el("li", {}, el("span", { class: "tag", "data-is": status[id] || "" }, `${label}: ${status[id] || "unknown"}`)))) : null);
    });
    byId("methods").replaceChildren(...cards);
  }

  function drawIncident(incident, now) {
    const over = isOver(incident);
    const at = (text) => Date.parse(text);
    const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value.filter(Boolean)));
    const took = over && incident.resolved_at ? at(incident.resolved_at) - at(incident.opened_at) : now - at(incident.opened_at);
    const usable = Object.keys(ACTIONS).filter((action) =>
      action === "note" || (action === "retire" ? !over && fallenSilent(incident) : !over && (action === "resolve" || (action === "ack" ? incident.state === "open" || !incident.acknowledged_at : !incident.declared_at))));
    const links = Object.entries({ ...incident.links, ...(incident.runbook ? { runbook: incident.runbook } : {}) })
      .filter(([, href]) => /^(https?:\/\/|\/runbooks\/)/.test(href));
    return el("article", { class: `card incident${over ? " over" : ""}`, "data-severity": incident.severity, "aria-label": `${incident.id}, severity ${incident.severity}` },
      el("h3", {},
        el("span", { class: "tag", "data-is": over ? "ok" : incident.severity }, `Severity ${incident.severity}`),
        el("span", {}, scopeName(incident.scope)),
        el("span", { class: "tag", "data-is": over ? "ok" : incident.state }, incident.state),
        incident.declared_at ? el("span", { class: "tag" }, "declared") : null,
        incident.in_maintenance ? el("span", { class: "tag" }, "in maintenance") : null,
        incident.csp_caused ? el("span", { class: "tag" }, "provider's doing") : null,
        el("small", {}, incident.id, incident.epoch ? `, reopened ${incident.epoch}×` : "")),
      el("p", { class: "sentence" }, incident.sentence),
      incident.common_sentence ? el("p", { class: "sentence" }, `In common: ${incident.common_sentence}.`) : null,
      incident.fail_over ? el("p", { class: "advice" }, incident.fail_over) : null,
      el("dl", { class: "facts" },
        fact("People impacted per hour", `${people(incident.users_impacted)} (${incident.basis}${error(incident.users_impacted_error)})`),
        fact("Worst so far", `severity ${incident.peak_severity}, ${people(incident.peak_users_impacted)}${error(incident.peak_users_impacted_error)}`),
        fact(over ? "Lasted" : "Open for", `${ago(took)}, since `, time(incident.opened_at)),
        fact("First failure", time(incident.first_bad_at, { second: "2-digit" })),
        fact("Acknowledged", incident.acknowledged_at ? `${incident.acknowledged_by || "somebody"}, ` : "nobody yet", incident.acknowledged_at && time(incident.acknowledged_at)),
        (incident.pages || []).length ? fact("Pages", ...incident.pages.map((page) => el("div", { class: "page", "data-is": (page.delivery || {}).state || "unknown" }, pageWords(page)))) : null,
        over ? fact("Resolved", [incident.resolved_reason, incident.resolved_by].filter(Boolean).join(", ") || "–") : fact("Priority", `${incident.priority} · ${incident.datadog_severity}`)),
      incident.notes && incident.notes.length ? el("ul", { class: "notes", "aria-label": "Notes" },
        ...incident.notes.map((note) => el("li", {}, el("span", { class: "who" }, time(note.at), `, ${note.by}: `), note.text))) : null,
      el("div", { class: "actions" },
        ...usable.map((action) => el("button", { type: "button", class: action === "ack" ? "primary" : null, "data-key": `${incident.id}/${action}`, "aria-label": `${ACTIONS[action].label} ${incident.id}`, on: { click: () => ask(action, incident) } }, ACTIONS[action].label)),
        links.length ? el("span", { class: "links" }, ...links.map(([name, href]) => el("a", { href, rel: "noreferrer noopener", target: "_blank" }, name.replaceAll("_", " ")))) : null));
  }

  const PAGES = { delivered: "went out", pending: "has not gone out yet", refused: "was refused", not_sent: "was not sent", off: "goes nowhere: PagerDuty is not set up", unknown: "is not known to have gone out" };
  function pageWords(page) {
    const delivery = page.delivery || { state: "unknown" };
    const when = delivery.at ? ` at ${delivery.at.slice(11, 16)} UTC` : "";
    return `${page.level} ${PAGES[delivery.state] || delivery.state}${when}${delivery.reason ? `: ${delivery.reason}` : ""}`;
  }

  const isOver = (incident) => incident.state === "resolved" || incident.state === "closed";

  function drawIncidents(incidents, now) {
    const open = incidents.filter((incident) => !isOver(incident)), past = incidents.filter(isOver).slice(0, 20);
    byId("incidents").hidden = !open.length;
    byId("incident-count").textContent = `(${open.length})`;
    byId("past-count").textContent = past.length ? `(${past.length})` : "(none)";
    byId("open").replaceChildren(...open.map((incident) => drawIncident(incident, now)));
    byId("past").replaceChildren(...past.map((incident) => drawIncident(incident, now)));
  }

  /** What does not get on, since when and what to do; and how far everything has come. */
  function drawHealth(health) {
    const kinds = Object.keys(health.blind);
    const told = new Set(health.obstacles.map((one) => one.why === "start" ? one.key : one.why)); // of a part, in other words
    const waiting = Object.entries({ ...health.parts, ...health.stalled }).filter(([part, why]) => why !== "ok" && !told.has(part));
    const once = health.obstacles.filter((one, n) => health.obstacles.findIndex((other) => other.why === one.why && other.sentence === one.sentence) === n);
    const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
    byId("health").hidden = !health.obstacles.length && !waiting.length;
    byId("health-count").textContent = kinds.length ? `(the watch is blind: ${kinds.join(", ")})` : "";
    byId("obstacles").replaceChildren(
      ...once.map((one) => el("li", { "data-is": one.blind ? "blind" : "late" },
        el("strong", {}, `${one.why}, for ${ago(one.age_seconds * 1000)}: `), one.sentence,
        one.remedy ? el("div", { class: "minor" }, `What to do: ${one.remedy}`) : null)),
      ...waiting.map(([part, why]) => el("li", { "data-is": "late" }, el("strong", {}, `${part}: `), why)));
    byId("health-status").textContent = `(${health.status.replaceAll("_", " ")})`;
    byId("progress").replaceChildren(
      ...Object.entries(health.evaluated).map(([name, one]) => fact(`Evaluated, ${name}`, `${ago(one.lag_seconds * 1000)} ago${one.here ? "" : " (by another worker)"}`)),
      ...Object.entries(health.positions).map(([partition, one]) => fact(`Input partition ${partition}`, `read to ${one.offset} of ${one.end}`)),
      ...Object.entries(health.oldest_unsent_seconds).map(([sink, age]) => fact(`Oldest unsent to ${sink}`, ago(age * 1000))),
      fact("Event loop", health.loop.last_beat_seconds === null ? "has not begun" : `went round ${ago(health.loop.last_beat_seconds * 1000)} ago, held up by at most ${health.loop.longest_seconds} s`),
      fact("The broker's clock", `${health.broker_clock_ahead_seconds} s ahead of this machine's`));
    return kinds;
  }

  function drawOverall(open, behind, blind = []) {
    const box = byId("overall");
    const worst = open[0];
    const [severity, text] =
      blind.length ? ["unknown", `The watch is blind (${blind.join(", ")}): what is shown below may no longer be so.`]
      : behind === null || behind > BLIND ? ["unknown", behind === null ? `Nothing has been evaluated in ${env} yet.` : "The watch is behind: what is shown below may no longer be so."]
      : worst ? [worst.severity, `${open.length === 1 ? "One incident: " : `${open.length} incidents, the worst: `}${scopeName(worst.scope)}, severity ${worst.severity}, ${people(worst.users_impacted)} an hour${worst.state === "recovering" ? ", recovering" : ""}${worst.acknowledged_at ? `, acknowledged by ${worst.acknowledged_by || "somebody"}` : ", not acknowledged"}`]
      : [0, "People can sign in. No open incident."];
    box.dataset.severity = severity;
    if (box.textContent !== text) box.textContent = text; // said aloud only when it changes
    document.title = (worst ? `(${open.length}) SEV ${worst.severity} ` : "") + "Watch officer";
  }

  function drawWatch(reached, now) {
    const at = reached[env] ? Date.parse(reached[env]) : null;
    const behind = at === null ? null : Math.max(0, (now - at) / 1000);
    const state = failures > 1 || (behind !== null && behind > BLIND) ? "blind" : behind === null ? "unknown" : behind > LATE ? "late" : "ok";
    byId("watch").dataset.state = state;
    byId("watch-text").replaceChildren(...(failures > 1 ? [`No answer from the watch (${failures} attempts)`]
      : behind === null ? ["Nothing evaluated yet"]
      : [`Evaluated up to ${ago(behind * 1000)} ago, `, time(reached[env], { second: "2-digit", timeZoneName: "short" })]));
    return behind;
  }

  // ---- polling --------------------------------------------------------------------------------

  async function get(path) {
    const response = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  }

  function remember(slis) {
    for (const sli of slis) {
      const key = `${sli.scope}|${sli.window}`;
      if (sli.history) history.set(key, sli.history.map((p) => ({ at: Date.parse(p.at), ratio: p.success_ratio, users: p.users_impacted })));
      const points = history.get(key) || [], at = Date.parse(sli.at);
      if (!points.length || points[points.length - 1].at < at) points.push({ at, ratio: sli.success_ratio, users: sli.users_impacted });
      history.set(key, points.slice(-POINTS));
    }
  }

  async function status(method) {
    const body = await get(`/v0/backend_statuses?auth_method=${method}`);
    return Object.fromEntries(body.data.attributes.statuses.map((s) => [s.service_id, s.status]));
  }

  async function poll() {
    const wanted = env;
    try {
      const methods = current("auth_method");
      const scopes = methods.map(([method]) => `scope=${encodeURIComponent(methodScope(method))}`).join("&");
      const [slis, incidents, health, ...told] = await Promise.all([
        get(`/api/v1/slis?${scopes}&window=5m&window=1h${loaded ? "" : "&history=true"}`),
        get(`/api/v1/incidents?env=${wanted}`), get("/api/v1/health"),
        ...methods.map(([method, known]) => known.banner ? status(method) : {})]);
      if (wanted !== env) return;
      failures = 0;
      loaded = true;
      remember(slis.slis);
      const now = Date.parse(slis.now);
      const behind = drawWatch(slis.evaluated_to, now);
      const open = incidents.incidents.filter((incident) => !isOver(incident));
      const shown = JSON.stringify([env, slis.slis.map((s) => s.at), told, incidents.incidents, Math.floor(now / 10000)]);
      if (shown !== drawn && !document.querySelector("#open :active")) {
        const focused = document.activeElement?.dataset?.key;
        drawMethods(slis.slis, Object.fromEntries(methods.map(([method], i) => [method, told[i]])), open);
        drawIncidents(incidents.incidents, now);
        drawn = shown;
        if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
      }
      drawOverall(open, behind, drawHealth(health));
    } catch {
      failures += 1;
      loaded = loaded && failures < 5; // the gap is filled from the server's history
      drawWatch({}, Date.now());
      if (failures > 1) drawOverall([], Infinity);
    }
  }

  async function go() {
    if (!document.hidden) await poll();
    setTimeout(go, EVERY);
  }

  // ---- a person's word ------------------------------------------------------------------------

  function ask(action, incident) {
    asking = { action, incident: incident.id, scope: incident.scope, silent: fallenSilent(incident), key: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}` };
    byId("ask-title").textContent = `${ACTIONS[action].label}: ${scopeName(incident.scope)}`;
    byId("ask-what").textContent = ACTIONS[action].what;
    byId("ask-text-name").textContent = ACTIONS[action].text;
    byId("ask-text").required = action === "note";
    byId("ask-text").value = "";
    byId("ask-by").value = by;
    byId("ask-send").textContent = ACTIONS[action].label;
    complain("");
    byId("ask").showModal();
    (by ? byId("ask-text") : byId("ask-by")).focus();
  }

  function complain(text) {
    byId("ask-error").textContent = text;
    byId("ask-error").hidden = !text;
  }

  async function send(event) {
    event.preventDefault();
    const { action, incident, scope, silent, key } = asking;
    by = byId("ask-by").value.trim();
    token = byId("ask-token").value || token;
    byId("ask-token").value = "";
    byId("ask-send").disabled = true;
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
      if (token) headers.Authorization = `Bearer ${token}`;
      const said = { by, text: byId("ask-text").value.trim() };
      const [path, body] = action === "retire"
        ? ["/api/v1/retire", { ...said, axis: silent[0], value: silent[1], env: scope.split("/")[0] }]
        : [`/api/v1/incidents/${encodeURIComponent(incident)}/${action}`, said];
      const response = await fetch(path, {
        method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(10000) });
      if (response.status === 202) {
        byId("ask-token-label").hidden = true;
        byId("ask").close();
        toast(`${ACTIONS[action].done}: ${incident}. It shows here once it has been applied.`);
        return;
      }
      const answer = await response.json().catch(() => ({}));
      if (response.status === 401) { token = ""; byId("ask-token-label").hidden = false; byId("ask-token").focus(); }
      complain(response.status === 401 ? "The watch asks for its API token." : answer.error?.message || `The watch answered ${response.status}.`);
    } catch {
      complain("No answer. Nothing is lost if you send it again.");
    } finally {
      byId("ask-send").disabled = false;
    }
  }

  let fading = 0;
  function toast(text) {
    byId("toast").textContent = text;
    byId("toast").hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => { byId("toast").hidden = true; }, 6000);
  }

  byId("ask-form").addEventListener("submit", send);
  byId("ask-cancel").addEventListener("click", () => byId("ask").close());
  byId("env").addEventListener("change", (event) => { env = event.target.value; loaded = false; drawn = ""; poll(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  go();
})();
