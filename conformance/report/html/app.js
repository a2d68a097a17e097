// SPDX-License-Identifier: Apache-2.0
// The address after # says what is shown, so that every view can be linked to:
// #cases?q=…&v=FAIL,ERROR&l=must&d=1, #requirements?…, #fsm, #case/ID/TARGET, #differences,
// #run.

const app = {
  listed: [],  // ids of the cases that the matrix showed last
  back: "#cases",
  showLine(line) {
    const item = document.getElementById("line-" + line);
    if (!item) return;
    item.closest("details").open = true;
    for (const other of document.querySelectorAll(".script .chosen")) {
      other.classList.remove("chosen");
    }
    item.classList.add("chosen");
    item.scrollIntoView({block: "center"});
  },
};

function show(model) {
  const [path, query] = location.hash.slice(1).split("?");
  const [view, ...rest] = path.split("/").map(decodeURIComponent);
  const parameters = new URLSearchParams(query);
  const makers = {
    requirements: () => requirementsView(model, new Filter(parameters)),
    fsm: () => fsmView(model, parameters),
    differences: () => differencesView(model),
    run: () => runView(model),
    case: () => caseView(model, rest[0], rest[1]),
  };
  const make = makers[view] || (() => casesView(model, new Filter(parameters)));
  document.getElementById("view").replaceChildren(make());
  const current = view in makers ? view : "cases";
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === "#" + (current === "case" ? "cases" : current);
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

async function start() {
  const view = document.getElementById("view");
  try {
    const model = new Model(await unpack(document.getElementById("data").textContent));
    if (model.cases.size > 0) app.listed = [...model.cases.keys()];
    document.getElementById("tally").append(...VERDICTS.filter((verdict) =>
      model.run.results.some((result) => result.verdict === verdict)).map((verdict) =>
      el("a", {href: "#cases?v=" + verdict}, badge(verdict), String(
        model.run.results.filter((result) => result.verdict === verdict).length))));
    addEventListener("hashchange", () => show(model));
    show(model);
    document.body.dataset.ready = "yes";
  } catch (error) {
    view.replaceChildren(el("p", {class: "complaint"}, `The report cannot be shown: ${error}`));
    throw error;
  }
}

start();
