(() => {
  "use strict";

  const controls = document.getElementById("controls");
  const template = document.getElementById("viewer");

  // The figure that holds a choice ("" is the original), or null where a comparison has none at this file size.
  function figureOf(comparison, budget, choice) {
    if (choice === "") return comparison.querySelector(".original");
    const panels = [...comparison.querySelectorAll(".panel")];
    return panels.find((panel) => panel.dataset.budget === budget && panel.dataset.choice === choice) ?? null;
  }

  function showSide(comparison, side, choice) {
    const figure = figureOf(comparison, controls.budget.value, choice);
    const image = comparison.querySelector(`.stage .${side}`);
    const caption = comparison.querySelector(`.captions .${side}`);
    image.hidden = figure === null;
    if (figure === null) {
      image.removeAttribute("src");
      const name = document.createElement("b");
      name.textContent = choice;
      caption.replaceChildren(name, "no file of this size");
    } else {
      const source = figure.querySelector("img");
      image.src = source.src;
      image.alt = source.alt;
      caption.replaceChildren(...figure.querySelector("figcaption").cloneNode(true).childNodes);
    }
  }

  function showAll() {
    document.body.classList.toggle("pixels", controls.pixels.checked);
    for (const comparison of document.querySelectorAll(".comparison")) {
      showSide(comparison, "left", controls.left.value);
      showSide(comparison, "right", controls.right.value);
    }
  }

  function addViewer(comparison) {
    comparison.append(template.content.cloneNode(true));
    const stage = comparison.querySelector(".stage");
    const range = stage.querySelector("input");
    range.setAttribute("aria-label", `Wipe between left and right: ${comparison.querySelector("h3").textContent}`);
    const wipe = () => {
      stage.style.setProperty("--wipe", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} % left`);
    };
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      range.value = Math.round((100 * (event.clientX - box.left)) / box.width);
      wipe();
    };
    range.addEventListener("input", wipe);
    stage.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      range.focus({ preventScroll: true });
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) follow(event);
    });
    wipe();
  }

  // Rows by the values of a column; what is missing stays last in both directions.
  function sortRows(body, column, rising) {
    const key = (row) => {
      const cell = row.cells[column];
      return "value" in cell.dataset ? Number(cell.dataset.value.replace("inf", "Infinity")) : cell.textContent;
    };
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : Number(a > b) - Number(a < b));
    const rows = [...body.rows].map((row) => [key(row), row]);
    const present = rows.filter(([value]) => !Number.isNaN(value));
    const absent = rows.filter(([value]) => Number.isNaN(value));
    present.sort(([a], [b]) => (rising ? compare(a, b) : compare(b, a)));
    body.append(...[...present, ...absent].map(([, row]) => row));
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const next = before ? (before === "ascending" ? "descending" : "ascending") : (head.dataset.first ?? "ascending");
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        sortRows(table.tBodies[0], column, next === "ascending");
      });
    });
  }

  if (controls) {
    document.querySelectorAll(".comparison").forEach(addViewer);
    controls.addEventListener("change", showAll);
    controls.addEventListener("submit", (event) => event.preventDefault());
    showAll();
  }
  document.querySelectorAll("table.sortable").forEach(makeSortable);
})();
