// The page as a whole: which part of it is shown, the theme, the key, the keys.

import * as api from "./api.js";
import { announce, fill, h } from "./dom.js";
import { Library } from "./library.js";

const main = document.getElementById("main");
const guide = document.getElementById("guide");
const CHOICES = ["auto", "light", "dark"];
let library = null;
let page = null;
let turn = 0;

/* ---- the key ---- */

api.onKeyNeeded(
  (wrong) =>
    new Promise((resolve) => {
      const input = h("input", {
        type: "password",
        id: "key",
        autocomplete: "current-password",
        required: true,
      });
      const dialog = h(
        "dialog",
        {
          class: "ask",
          "aria-labelledby": "key-title",
          onclose: () => {
            dialog.remove();
            resolve(dialog.returnValue === "given" ? input.value.trim() : "");
          },
        },
        h(
          "form",
          {
            onsubmit: (event) => {
              event.preventDefault();
              dialog.close("given");
            },
          },
          h("h2", { id: "key-title" }, "This server asks for a key"),
          h("p", {}, "Whoever set the server up has it. It is kept until this tab is closed."),
          wrong ? h("p", { class: "why", role: "alert" }, wrong) : null,
          h("label", { for: "key" }, "Key"),
          input,
          h(
            "div",
            { class: "row end" },
            h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
            h("button", { class: "primary" }, "Open"),
          ),
        ),
      );
      document.body.append(dialog);
      dialog.showModal();
      input.focus();
    }),
);

/* ---- light and dark ---- */

const theme = document.getElementById("theme");

function setTheme(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === "auto") localStorage.removeItem("aver.theme");
    else localStorage.setItem("aver.theme", choice);
  } catch {
    /* it lasts as long as the page */
  }
  theme.value = choice;
  page?.repaint?.();
}

theme.value = CHOICES.includes(document.documentElement.dataset.theme)
  ? document.documentElement.dataset.theme
  : "auto";
theme.addEventListener("change", () => setTheme(theme.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.repaint?.());

/* ---- which part is shown ---- */

async function livePage() {
  const place = h("div", { class: "live" });
  const element = h("div", {}, h("header", { class: "head" }, h("h1", {}, "Live")), place);
  let running = null;
  try {
    const live = await import("./live.js");
    running = live.mount(place, { prepare: api.openSession });
  } catch {
    fill(place, h("p", { class: "hint" }, "This server was installed without the live view."));
  }
  return { element, title: "Live", destroy: () => running?.stop() };
}

function libraryPage() {
  library ??= new Library();
  library.refresh();
  return { element: library.element, title: "Recordings" };
}

const ROUTES = [
  [/^\/?$/u, async () => libraryPage(), "recordings"],
  [
    /^\/recording\/([\w-]+)$/u,
    async ([, id]) => (await import("./recording.js")).recordingPage(id),
    "recordings",
  ],
  [
    /^\/compare(?:\/([\w-]+))?(?:\/([\w-]+))?$/u,
    async ([, a, b]) => (await import("./compare.js")).comparePage([a, b]),
    "compare",
  ],
  [/^\/live$/u, livePage, "live"],
  [
    /^\/guide$/u,
    async () => ({ element: guide.content.cloneNode(true), title: "How to read this" }),
    "guide",
  ],
];

async function show() {
  const path = location.hash.replace(/^#/u, "");
  const [pattern, make, tab] = ROUTES.find(([route]) => route.test(path)) ?? [
    null,
    async () => ({
      element: h("p", {}, "There is no such page. ", h("a", { href: "#/" }, "All recordings")),
      title: "Not found",
    }),
    "",
  ];
  const mine = (turn += 1);
  page?.destroy?.();
  page = null;
  delete main.dataset.shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (tab !== "recordings" || path.length > 1)
    fill(main, h("p", { class: "loading", role: "status" }, "Loading …"));
  let made;
  try {
    made = await make(pattern ? path.match(pattern) : []);
  } catch (error) {
    made = {
      element: h(
        "div",
        { class: "card" },
        h("h1", {}, error.title || "This cannot be shown"),
        h("p", {}, error.message),
        h("p", {}, h("a", { href: "#/" }, "All recordings")),
      ),
      title: "Problem",
    };
  }
  if (mine !== turn) {
    made.destroy?.();
    return;
  }
  page = made;
  fill(main, made.element);
  document.title = `${made.title} – aver`;
  main.dataset.page = tab;
  main.dataset.ready = String(mine);
  // The first timer after the first picture: from here on the page answers.
  requestAnimationFrame(() =>
    setTimeout(() => {
      if (mine === turn) main.dataset.shown = performance.now().toFixed(1);
    }),
  );
  if (mine > 1) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
    announce(made.title);
  }
}

/* ---- keys ---- */

const WRITES =
  "input:not([type=checkbox]):not([type=radio]):not([type=button]), select, textarea, [contenteditable], dialog *";

addEventListener("keydown", (event) => {
  if (!page?.keys || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const { target } = event;
  if (target.matches?.(WRITES)) return;
  if (event.key === " " && target.closest?.("button, a, summary, input")) return;
  if (
    (event.key === "Home" || event.key === "End" || event.key.startsWith("Arrow")) &&
    target.closest?.(".scroll, .menu")
  )
    return;
  if (page.keys(event)) event.preventDefault();
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
show();

// For tests, benchmarks and people at the console.
globalThis.averPage = {
  get page() {
    return page;
  },
  get library() {
    return library;
  },
};
