// Small conveniences on top of pages that work without them: search key, rows by keyboard, a side panel,
// forms that save in place, copy buttons, light and dark.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

// --- forms that carry a message to an identity provider go by themselves; without this they have a button --

for (const form of $$("form[data-send]")) form.submit();

// --- keyboard -------------------------------------------------------------------------------------------

let waitingForPlace = 0;

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    closePanel();
    for (const menu of $$("details.menu[open]")) menu.open = false;
    if (typing(event.target)) event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (waitingForPlace && Date.now() - waitingForPlace < 1500) {
    waitingForPlace = 0;
    const place = $(`nav.side a[data-key="${CSS.escape(event.key)}"]`);
    if (place) {
      event.preventDefault();
      place.click();
    }
    return;
  }
  const action = {
    "/": () => ($("#query") ?? $("#search"))?.focus(),
    "?": () => $("dialog.keys")?.showModal(),
    g: () => (waitingForPlace = Date.now()),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    x: () => $('input[type="checkbox"]', document.activeElement.closest("tr") ?? document.createElement("tr"))?.click(),
  }[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});

function moveRow(step) {
  const links = $$("table a.row-link");
  if (!links.length) return;
  const now = links.indexOf(document.activeElement);
  const next = links[Math.min(Math.max(now + step, 0), links.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

for (const button of $$("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => $("dialog.keys").showModal());
}

// --- menus close when the pointer goes elsewhere ---------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// --- light and dark -------------------------------------------------------------------------------------

for (const button of $$("[data-theme-switch]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  });
}

// --- the side panel: the page of a row, without leaving the list -----------------------------------------

let openedFrom = null;

function panel() {
  let element = $("#panel");
  if (!element) {
    element = document.createElement("aside");
    element.id = "panel";
    element.className = "panel";
    element.tabIndex = -1;
    element.setAttribute("aria-label", "Details");
    document.body.append(element);
  }
  return element;
}

function closePanel() {
  const element = $("#panel");
  if (!element || element.hidden) return;
  element.hidden = true;
  $("tr.current")?.classList.remove("current");
  openedFrom?.focus();
}

async function openPanel(link) {
  const answer = await fetch(link.href, { headers: { "X-Panel": "1" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) {
    location.assign(link.href);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const element = panel();
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button panel-close";
  close.textContent = "Close";
  close.addEventListener("click", closePanel);
  const whole = document.createElement("a");
  whole.className = "button";
  whole.href = link.href;
  whole.textContent = "Open as page";
  const bar = document.createElement("div");
  bar.className = "panel-bar";
  bar.append(whole, close);
  element.replaceChildren(bar, ...page.body.childNodes);
  element.hidden = false;
  element.scrollTop = 0;
  $("tr.current")?.classList.remove("current");
  link.closest("tr")?.classList.add("current");
  openedFrom = link;
  element.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-panel]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || innerWidth < 900) return;
  event.preventDefault();
  openPanel(link);
});

// --- decisions about the rows that are ticked -------------------------------------------------------------

for (const form of $$("form[data-chosen]")) {
  const boxes = $$(`input[type="checkbox"][form="${form.id}"]`);
  const all = $("[data-choose-all]", form);
  all.hidden = false;
  all.addEventListener("click", () => {
    const tick = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = tick;
  });
}

// --- forms that save as soon as a choice is made ---------------------------------------------------------

for (const form of $$("form[data-save]")) {
  const button = $("button", form);
  button.hidden = true;
  form.addEventListener("change", async () => {
    // A page in answer is none of ours: a session that ended leads to the sign-in page, and nothing was saved.
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { "X-Panel": "1" },
      credentials: "same-origin",
    }).catch(() => null);
    const saved = answer?.status === 204;
    say(saved ? "Saved." : "Not saved. Reload the page and try again.");
    button.hidden = saved;
  });
}

// --- lists that follow the query as it is typed ------------------------------------------------------------

for (const form of $$("form[data-live]")) {
  let timer = 0;
  let latest = 0;
  const refresh = async () => {
    const mine = (latest += 1);
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    const url = `${location.pathname}?${new URLSearchParams(fields)}`;
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected || mine !== latest) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = $("#list", page);
    if (!fresh) return;
    $("#list").replaceWith(fresh);
    history.replaceState(null, "", url);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 250);
  });
}

// --- passwords can be looked at while they are typed ------------------------------------------------------

for (const button of $$("[data-reveal]")) {
  const field = document.getElementById(button.dataset.reveal);
  const show = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? "Hide" : "Show";
  };
  button.hidden = false;
  button.addEventListener("click", () => show(field.type === "password"));
  // Browsers remember what was typed into fields of text: it leaves as a password.
  field.form?.addEventListener("submit", () => show(false));
}

// --- how hard to guess a new password looks --------------------------------------------------------------
// By length and variety alone; whether it is a known one is for the server to say.

for (const line of $$("[data-strength]")) {
  const field = document.getElementById(line.dataset.strength);
  field.addEventListener("input", () => {
    const signs = [...field.value];
    const bits = signs.length * Math.log2(Math.max(new Set(signs).size, 1));
    const words = bits < 40 ? "Weak" : bits < 60 ? "Fair" : bits < 80 ? "Good" : "Strong";
    line.hidden = signs.length === 0;
    $("meter", line).value = Math.min(bits, 80);
    if ($("span", line).textContent !== words) $("span", line).textContent = words;
  });
}

// --- copy -------------------------------------------------------------------------------------------------

for (const button of $$("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($(button.dataset.copy).textContent.trim());
      say("Copied.");
    } catch {
      getSelection().selectAllChildren($(button.dataset.copy));
      say("Selected. Copy it with your keyboard.");
    }
  });
}

// --- a word on what happened ------------------------------------------------------------------------------

function say(words) {
  let toast = $("#toast");
  if (!toast) {
    toast = document.createElement("p");
    toast.id = "toast";
    toast.className = "toast";
    toast.setAttribute("role", "status");
    document.body.append(toast);
  }
  toast.textContent = words;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (toast.hidden = true), 4000);
}
