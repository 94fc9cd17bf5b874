"use strict";
// Keeps the parts of a page up to date, and sends what people do. Without it the page can be read, and reloaded.
(() => {
  const POLL = 2000; // ms between polls where there are no events
  const AGAIN = 15000; // ms until events are tried again after a refusal
  const LOST = 6000; // ms without an answer after which the page says that it is old
  const byId = (id) => document.getElementById(id);
  let token = "", by = "", asking = null, loading = false, wanted = false, heard = Date.now(), events = null;

  // ---- keeping up to date ---------------------------------------------------------------------

  /** The page as it is served now, parsed by the browser; nothing in it runs. */
  function served() {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open("GET", location.href);
      request.responseType = "document";
      request.timeout = 8000;
      request.onload = () => (request.status === 200 && request.response ? done(request.response) : fail(new Error(request.status)));
      request.onerror = request.ontimeout = () => fail(new Error("no answer"));
      request.send();
    });
  }

  function same(one, other) {
    return one.isEqualNode(other);
  }

  /** Take over what has changed, part by part; what is open stays open, and what has the focus keeps it. */
  function update(fresh) {
    const focused = document.activeElement?.id;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || part.querySelector(":active")) continue;
      for (const details of next.querySelectorAll("details[id]")) {
        if (byId(details.id)?.open) details.open = true;
      }
      localise(next);
      if (same(part, next)) continue;
      for (const { name } of [...part.attributes]) if (!next.hasAttribute(name)) part.removeAttribute(name);
      for (const { name, value } of next.attributes) part.setAttribute(name, value);
      part.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
    }
    if (document.title !== fresh.title) document.title = fresh.title;
    if (focused && document.activeElement?.id !== focused) byId(focused)?.focus({ preventScroll: true });
  }

  /** The reader's own time, where the pointer rests. */
  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      time.title = new Date(time.getAttribute("datetime")).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    }
  }

  async function refresh() {
    if (loading) { wanted = true; return; }
    loading = true;
    try {
      update(await served());
      heard = Date.now();
      lost("");
    } catch {
      if (Date.now() - heard > LOST) lost(`No answer from the watch for ${Math.round((Date.now() - heard) / 1000)} s: this is how it stood at ${new Date(heard).toISOString().slice(11, 19)} UTC.`);
    } finally {
      loading = false;
      if (wanted) { wanted = false; setTimeout(refresh, 100); }
    }
  }

  function lost(text) {
    byId("lost").textContent = text;
    byId("lost").hidden = !text;
    document.documentElement.classList.toggle("is-lost", Boolean(text));
  }

  /** Hear of changes while the page is seen: a browser has six connections to a watch, for all of its tabs together. */
  function listen() {
    if (document.hidden || (events && events.readyState !== EventSource.CLOSED)) return;
    events = new EventSource("/api/v1/stream");
    events.addEventListener("changed", refresh);
    events.addEventListener("error", () => {
      if (events?.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN); // refused; a lost connection comes back by itself
    });
  }

  function rest() {
    events?.close();
    events = null;
  }

  function resume() {
    listen();
    refresh();
  }

  function poll() {
    if (!document.hidden && (!events || events.readyState !== EventSource.OPEN)) refresh();
  }

  // ---- a person's word ------------------------------------------------------------------------

  const field = (name) => document.querySelector(`[data-field="${name}"]`);
  const control = (name) => field(name).querySelector("input, select, textarea");

  function ask(button) {
    const { path, fields, needs, preset, does, proposed } = button.dataset;
    asking = { path, label: button.textContent, fields: fields ? fields.split(" ") : [], preset: preset ? JSON.parse(preset) : {},
      key: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}` };
    const needed = needs ? needs.split(" ") : [], values = proposed ? JSON.parse(proposed) : {};
    byId("ask-title").textContent = button.getAttribute("aria-label") || asking.label;
    byId("ask-does").textContent = does;
    byId("ask-send").textContent = asking.label;
    for (const label of document.querySelectorAll("#ask [data-field]")) {
      const name = label.dataset.field, input = control(name);
      if (name === "by" || name === "token") continue;
      label.hidden = !asking.fields.includes(name);
      input.required = !label.hidden && needed.includes(name);
      if (input.type === "checkbox") input.checked = false;
      else if (input.tagName !== "SELECT") input.value = values[name] || "";
      label.firstChild.dataset.optional = !input.required && !label.hidden ? "yes" : "";
    }
    control("by").value = by;
    complain("");
    byId("ask").showModal();
    const first = asking.fields.find((name) => field(name));
    (by && first ? control(first) : control("by")).focus();
  }

  function complain(text) {
    byId("ask-error").textContent = text;
    byId("ask-error").hidden = !text;
  }

  function said() {
    const body = { by, ...asking.preset };
    for (const name of asking.fields) {
      const input = field(name) && control(name);
      if (!input) continue;
      if (input.type === "checkbox") { if (input.checked) body[name] = true; continue; }
      const value = input.value.trim();
      if (value) body[name] = input.type === "datetime-local" ? new Date(value).toISOString() : value;
    }
    return body;
  }

  async function send(event) {
    event.preventDefault();
    by = control("by").value.trim();
    token = control("token").value || token;
    control("token").value = "";
    byId("ask-send").disabled = true;
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": asking.key };
      if (token) headers.Authorization = `Bearer ${token}`;
      else headers["X-Watchofficer-Csrf"] = "1";
      const response = await fetch(asking.path, { method: "POST", headers, body: JSON.stringify(said()), signal: AbortSignal.timeout(10000) });
      if (response.status === 202) {
        field("token").hidden = true;
        byId("ask").close();
        const answer = await response.json();
        follow(asking.label, answer.accepted.id);
        return;
      }
      const answer = await response.json().catch(() => ({}));
      if (response.status === 401) { token = ""; field("token").hidden = false; control("token").focus(); }
      complain(response.status === 401 ? "The watch asks for its API token." : answer.error?.message || `The watch answered ${response.status}.`);
    } catch {
      complain("No answer. Nothing is lost if you send it again.");
    } finally {
      byId("ask-send").disabled = false;
    }
  }

  /** Say what became of what was asked for, as soon as it is known. */
  async function follow(label, id) {
    toast(`${label}: taken. It shows here once it has been applied.`);
    for (let n = 0; n < 10; n += 1) {
      await new Promise((done) => setTimeout(done, 1000));
      const answer = await fetch(`/api/v1/inputs/${encodeURIComponent(id)}`).then((one) => one.json()).catch(() => ({}));
      if (answer.state === "applied") { toast(`${label}: applied.`); return; }
      if (answer.state === "refused") { toast(`${label}: refused. ${answer.reason || ""}`); return; }
    }
  }

  let fading = 0;
  function toast(text) {
    byId("toast").textContent = text;
    byId("toast").hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => { byId("toast").hidden = true; }, 8000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-path]");
    if (button) ask(button);
  });
  byId("ask-form").addEventListener("submit", send);
  byId("ask-cancel").addEventListener("click", () => byId("ask").close());
  document.documentElement.classList.add("has-script");
  localise(document);
  if (document.querySelector("[data-live]")) {
    listen();
    setInterval(poll, POLL);
    document.addEventListener("visibilitychange", () => (document.hidden ? rest() : resume()));
    addEventListener("pagehide", rest);
    addEventListener("pageshow", (event) => { if (event.persisted) resume(); }); // back or forward
  }
})();
