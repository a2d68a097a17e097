// SPDX-License-Identifier: Apache-2.0
// One case: the requirement, verdicts, evidence, ladders, script.

function failureView(one, clause) {
  const failure = clause.failure;
  const item = (term, ...content) => content.flat().filter(Boolean).length > 0
    && [el("dt", {}, term), content.flat().map((text) => el("dd", {}, text))];
  return el("dl", {class: "failure"},
    item("requirement", failure.requirement),
    failure.statement && item("statement", el("a", {href: "#", onclick: (event) => {
      event.preventDefault();
      app.showLine(Number(failure.location.split(":").at(-2)));
    }}, el("code", {}, failure.statement)), el("small", {}, failure.location)),
    item("expected", failure.expected.map((text) => el("code", {}, text))),
    failure.came && item("came", el("code", {}, failure.came)),
    item("differences", failure.differences.map((text) => el("code", {}, text))),
    failure.packet > 0 && item("segment",
      `number ${failure.packet} of session ${failure.session}`));
}

function clausesView(one, results) {
  const names = [];
  for (const result of results) {
    for (const clause of result.clauses) if (!names.includes(clause.name)) names.push(clause.name);
  }
  const clauseOf = (result, name) => result.clauses.find((clause) => clause.name === name);
  const told = (name) => results.map((result) => [result, clauseOf(result, name)])
    .filter(([, clause]) => clause && clause.verdict !== "PASS");
  return el("table", {class: "clauses"},
    el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "clause"),
      results.map((result) => el("th", {scope: "col", class: "target"}, nameOf(result))))),
    el("tbody", {}, names.map((name) => [
      el("tr", {}, el("th", {scope: "row"}, name), results.map((result) => {
        const clause = clauseOf(result, name);
        return el("td", {class: "target"}, clause ? badge(clause.verdict) : "–");
      })),
      told(name).map(([result, clause]) => el("tr", {class: "reason"},
        el("td", {colspan: results.length + 1},
          el("p", {}, el("b", {}, nameOf(result) + " "), clause.reason,
            clause.reference && el("small", {}, " — " + clause.reference)),
          clause.failure && failureView(one, clause)))),
    ])));
}

const nameOf = (result) => result.target
  + (result.repetition > 1 ? ` (${result.repetition})` : "");

function resultCard(result) {
  return el("div", {class: "card"},
    el("h3", {}, nameOf(result), " ", badge(result.verdict),
      el("small", {}, `${result.seconds.toFixed(2)} s`)),
    el("p", {class: "command"}, el("code", {}, result.reproduce), copyButton(result.reproduce)),
    pcapLinks(result),
    result.attempts.length > 0 && el("details", {},
      el("summary", {}, `repeated: the harness was late (${result.attempts.length})`),
      result.attempts.map((attempt) => el("p", {}, badge(attempt.verdict),
        ` ${attempt.clause}, ${(attempt.late * 1000).toFixed(0)} ms late: ${attempt.reason}`))));
}

function scriptView(one, results) {
  const failed = new Set(results.flatMap((result) => result.clauses)
    .filter((clause) => clause.failure && ["FAIL", "ERROR"].includes(clause.verdict))
    .map((clause) => Number((clause.failure.location || "").split(":").at(-2))));
  return el("details", {class: "script", open: true},
    el("summary", {}, "Script", el("small", {}, one.file)),
    el("ol", {}, one.lines.map((text, i) => el("li", {
      id: "line-" + (i + 1), class: failed.has(i + 1) && "failed",
    }, el("code", {}, text || " ")))));
}

function comparison(model, one, choice) {
  const results = [...one.results.values()].map((all) => all[0]);
  const holder = el("div");
  const draw = () => {
    const left = results.find((result) => result.target === choice.left);
    const right = results.find((result) => result.target === choice.right);
    const sessions = left.sessions.map((_, session) => [
      left.sessions.length > 1 && el("h3", {}, `Session ${session + 1}`),
      ladderView(model, one, left, right === left ? undefined : right, session),
    ]);
    holder.replaceChildren(...sessions.flat().filter(Boolean));
    const different = [...holder.querySelectorAll(".ladder")]
      .reduce((sum, ladder) => sum + Number(ladder.dataset.different), 0);
    sides.forEach((button, i) => { button.textContent = i === 0 ? choice.left : choice.right; });
    sides[1].hidden = !choice.right;
    if (!choice.right) section.dataset.side = "left";
    count.textContent = right && right !== left
      ? `${different} ${different === 1 ? "row differs" : "rows differ"}` : "";
  };
  const count = el("span", {class: "shown", role: "status"});
  // A narrow screen shows one of the two.
  const sides = ["left", "right"].map((side) => el("button", {type: "button", class: "toggle",
    onclick: () => { section.dataset.side = side; }}));
  const chooser = (side, label) => el("select", {"aria-label": label, onchange: (event) => {
    choice[side] = event.target.value;
    draw();
  }}, side === "right" && el("option", {value: "", selected: !choice.right}, "alone"),
  results.map((result) => el("option", {
    value: result.target, selected: choice[side] === result.target,
  }, result.target)));
  const section = el("section", {class: "ladders", "data-side": "left"},
    el("h2", {}, "Ladder"),
    el("div", {class: "filters"},
      chooser("left", "Left target"), results.length > 1 && ["beside", chooser("right",
        "Right target")], count,
      checkbox("only what differs", false, (on) => section.classList.toggle("only-other", on)),
      el("div", {class: "sides toggles", role: "group", "aria-label": "Side shown"}, sides)),
    el("p", {class: "hint"}, "States as observed on the end itself; in brackets what the script ",
      "claims of its own end. Sequence numbers are relative. What differs between the two is marked; ",
      "timestamps, cookies and ISNs are random by nature and are not compared."),
    holder);
  draw();
  return section;
}

function caseView(model, id, target) {
  const one = model.cases.get(id);
  if (!one) return el("p", {}, `There is no case ${id} in this run.`);
  const results = [...one.results.values()].flat();
  const sat = [...one.results.keys()];
  const left = sat.includes(target) ? target : sat.includes("stack") ? "stack" : sat[0];
  const right = sat.find((name) => name !== left && name === "kernel")
    || sat.find((name) => name !== left) || "";
  const at = app.listed.indexOf(id);
  const step = (by, text) => app.listed[at + by] && at >= 0
    ? el("a", {href: "#case/" + encodeURIComponent(app.listed[at + by])}, text) : el("span", {}, text);
  return el("article", {class: "case", "data-case": id},
    el("p", {class: "steps"}, el("a", {href: app.back}, "← all cases"), step(-1, "‹ before"),
      step(1, "next ›")),
    el("h1", {}, one.id, " ", el("small", {}, one.title)),
    el("p", {class: "rule"}, el("span", {class: "level"}, one.level), one.rule),
    el("details", {class: "covers", open: one.covers.length < 6},
      el("summary", {}, `covers ${one.covers.length}`),
      el("dl", {}, one.covers.map((name) => [el("dt", {}, name), el("dd", {}, model.text(name))]))),
    el("div", {class: "cards"}, results.map(resultCard)),
    clausesView(one, results),
    results.some((result) => result.sessions.length > 0)
      && comparison(model, one, {left, right}),
    scriptView(one, results));
}
