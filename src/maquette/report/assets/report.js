"use strict";
(() => {
  const root = document.documentElement;
  const dark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
  });

  for (const tabs of document.querySelectorAll(".tabs")) {
    tabs.classList.add("live");
    const show = (chosen) => {
      for (const e of tabs.querySelectorAll("[data-tab]")) {
        const on = e.dataset.tab === chosen;
        if (e.role === "tab") e.setAttribute("aria-selected", on);
        else e.hidden = !on;
      }
    };
    for (const e of tabs.querySelectorAll('[role="tab"]'))
      e.addEventListener("click", () => show(e.dataset.tab));
    show("0");
  }

  const table = document.getElementById("trials");
  if (table) {
    let last = -1, up = true;
    const key = (row, i) => row.cells[i].dataset.v;
    for (const button of table.querySelectorAll("th button"))
      button.addEventListener("click", () => {
        const i = Number(button.dataset.column);
        up = i === last ? !up : true;
        last = i;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const x = key(a, i), y = key(b, i);
          if (x === "" || y === "") return (x === "") - (y === "");
          const d = Number(x) - Number(y);
          return (Number.isNaN(d) ? x.localeCompare(y) : d) * (up ? 1 : -1);
        });
        table.tBodies[0].append(...rows);
        for (const b of table.querySelectorAll("th button")) delete b.dataset.sorted;
        button.dataset.sorted = up ? "up" : "down";
      });
  }

  document.getElementById("save").addEventListener("click", () => {
    const blob = new Blob([document.getElementById("data").textContent], { type: "application/json" });
    const a = document.createElement("a");
    a.href = URL.createObjectURL(blob);
    a.download = "report.json";
    a.click();
    URL.revokeObjectURL(a.href);
  });
})();
