// The stepper: walks through the recorded trace (trace.js), a call at a time. What it
// shows stands below it as a table, too, which is all there is without scripts.
"use strict";
(() => {
    const boxes = [...document.querySelectorAll(".stepper")];
    if (!boxes.length || window.jecStepper || document.querySelectorAll("main h1").length > 3) { return; }
    window.jecStepper = true;
    const make = (tag, about = {}, ...inside) => {
        const element = Object.assign(document.createElement(tag), about);
        element.append(...inside);
        return element;
    };
    // What is always to be seen, so that host and container can be compared.
    const always = ["ids.uid", "capabilities.effective", "namespace.user", "namespace.mnt",
        "namespace.pid", "namespace.net", "namespace.uts", "hostname", "cgroup", "mount./"];

    // All facts after this state of the kernel was told, by process.
    function fold(facts, states) {
        const after = { ...facts };
        for (const [of, from, changed] of states) {
            const parent = of === "program" ? "init" : from;
            after[of] = { ...(after[of] ?? after[parent] ?? {}) };
            for (const [key, value] of Object.entries(changed)) {
                if (value === null) { delete after[of][key]; } else { after[of][key] = value; }
            }
        }
        return after;
    }
    const inside = facts => ["program", "init", "middle"].find(name => facts[name]);

    function build(box, trace) {
        const whole = box.dataset.chapter === "";
        // A step is a call, or what has changed after the last one.
        const steps = [], groups = [];
        let facts = fold({}, trace.before);
        trace.stages.forEach(([name, side, what, why, chapter, list]) => {
            const group = { name, side, what, why, steps: [], before: facts, keys: new Set() };
            for (const step of list) {
                const states = typeof step === "number" ? null : step;
                const now = states ? fold(facts, states) : facts;
                states?.forEach(([, , changed]) => Object.keys(changed).forEach(key => group.keys.add(key)));
                group.steps.push({ group, call: states ? null : trace.calls[step], facts: now, past: facts, states });
                facts = now;
            }
            if ((whole || chapter === box.dataset.chapter) && group.steps.length) {
                groups.push(group);
                steps.push(...group.steps);
            }
        });

        let at = 0;
        const back = make("button", { type: "button", textContent: "Back", title: "Back (B, or ← when in here)" });
        const next = make("button", { type: "button", textContent: "Next", title: "Next (N, or → when in here)" });
        const range = make("input", { type: "range", min: 1, max: steps.length, value: 1, ariaLabel: "Step" });
        const count = make("output");
        const bar = make("div", { className: "bar" }, back, next, range, count);
        const calls = make("ol", { className: "calls" });
        const now = make("div", { className: "now" });
        now.setAttribute("aria-live", "polite");
        const walk = make("div", { className: "walk" }, calls, now);
        const live = make("div", { className: "live" }, bar, walk);
        const without = box.querySelector(".without");
        if (without) {
            const off = make("input", { type: "checkbox" });
            off.setAttribute("role", "switch");
            off.onchange = () => {
                walk.hidden = off.checked;
                without.hidden = !off.checked;
                for (const one of [back, next, range]) { one.disabled = off.checked; }
                if (!off.checked) { show(at, false); }
            };
            without.hidden = true;
            bar.append(make("label", {}, off, ` without ${without.dataset.stage}`));
        }
        box.querySelector(".steps").open = false;
        box.querySelectorAll(".steps [id]").forEach(row => row.removeAttribute("id"));
        box.insertBefore(live, box.querySelector(".without, .steps"));
        const lists = groups.map(group => {
            const first = steps.indexOf(group.steps[0]);
            const inner = make("ol", {}, ...group.steps.map((step, number) => {
                const text = step.call ? step.call[0] : "what has changed";
                return make("li", {}, make("a", { href: `#step=${first + number + 1}`, className: step.call ? "" : "border" }, text));
            }));
            const title = make("a", { href: `#step=${first + 1}`, className: "name" }, make("b", {}, group.name), ` ${group.side}`);
            return make("li", { className: group.side }, title, inner);
        });
        calls.append(...lists);

        function table(step) {
            const container = inside(step.facts);
            const keys = [...new Set([...step.group.keys, ...always])].filter(key =>
                ["runtime", "middle", "init", "program"].some(name => step.facts[name]?.[key] ?? step.past[name]?.[key]));
            const cell = (name, key) => {
                const value = step.facts[name]?.[key];
                const mine = step.states?.find(([of, , changed]) => of === name && key in changed);
                const parent = name === "program" ? "init" : mine?.[1];
                const old = (step.past[name] ?? step.past[parent])?.[key];
                const said = make("td", {}, value ?? (name ? "—" : "not yet"));
                if (mine && old !== value) {
                    said.className = "changed";
                    if (old !== undefined) { said.prepend(make("del", {}, old), " "); }
                }
                return said;
            };
            const rows = keys.sort((a, b) => step.group.keys.has(b) - step.group.keys.has(a)).map(key =>
                make("tr", {}, make("th", { scope: "row" }, ...key.split(/(?<=[./])/).flatMap(part => [part, make("wbr")])), cell("runtime", key), cell(container, key)));
            const head = (name, title) => make("th", { scope: "col" }, title, make("span", { className: `side ${name}` }, ` ${name}`));
            const inner = make("table", {}, make("thead", {}, make("tr", {}, make("td"), head("runtime", "Host"), head(container ?? "", "Container"))), make("tbody", {}, ...rows));
            const wide = make("div", { className: "facts", tabIndex: 0, ariaLabel: "What the kernel says of both" }, inner);
            wide.setAttribute("role", "region");
            return wide;
        }

        function show(number, move) {
            at = Math.max(0, Math.min(steps.length - 1, number));
            const step = steps[at], { group } = step;
            back.disabled = at === 0;
            next.disabled = at === steps.length - 1;
            range.value = at + 1;
            count.textContent = `${at + 1} of ${steps.length}`;
            lists.forEach((item, place) => item.classList.toggle("open", groups[place] === group));
            calls.querySelector("[aria-current]")?.removeAttribute("aria-current");
            const link = lists[groups.indexOf(group)].lastChild.children[group.steps.indexOf(step)].firstChild;
            link.setAttribute("aria-current", "step");
            // Only the list scrolls, not the page.
            const lines = link.getBoundingClientRect(), frame = calls.getBoundingClientRect();
            if (lines.top < frame.top || lines.bottom > frame.bottom) { calls.scrollTop += lines.top - frame.top - frame.height / 3; }
            const parts = [];
            if (step.call) {
                const [text, place, why] = step.call, [file, line, source] = trace.places[place];
                const href = `source/${trace.files[file]}.html#L${line}`;
                parts.push(make("p", { className: "call" }, make("code", {}, text)),
                    make("p", { className: "place" }, make("a", { href }, `${trace.files[file]}:${line}`)),
                    make("pre", { className: "line" }, make("code", {}, source)));
                const reason = why || group.why;
                if (reason) { parts.push(make("p", { className: "why" }, reason)); }
            } else {
                parts.push(make("p", { className: "call" }, `After ${group.name}: what the kernel says now`));
            }
            now.replaceChildren(...parts, table(step));
            if (move) { history.replaceState(null, "", `#step=${at + 1}`); }
        }

        function linked(scroll) {
            const number = /^#step=(\d+)$/.exec(location.hash)?.[1];
            if (!number) { return; }
            show(number - 1, false);
            if (scroll) { box.scrollIntoView(); }
        }
        back.onclick = () => show(at - 1, true);
        next.onclick = () => show(at + 1, true);
        range.oninput = () => show(range.value - 1, true);
        const turn = { n: 1, b: -1, ArrowRight: 1, ArrowLeft: -1 };
        box.addEventListener("keydown", event => {
            if (event.target === range || !event.key.startsWith("Arrow")) {
                // The book turns its pages with the arrows, this moves the slider.
                if (event.target === range) { event.stopPropagation(); }
            } else if (turn[event.key]) {
                event.preventDefault();
                event.stopPropagation();
                if (!walk.hidden) { show(at + turn[event.key], true); }
            }
        });
        document.addEventListener("keydown", event => {
            const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.type === "search";
            if (typing || event.ctrlKey || event.altKey || event.metaKey || event.key.length > 1 || walk.hidden) { return; }
            if (turn[event.key]) { show(at + turn[event.key], true); }
        });
        addEventListener("hashchange", () => linked(false));
        show(0, false);
        linked(true);
    }

    const script = make("script", { src: `${path_to_root}trace.js` });
    script.onload = () => {
        const trace = window.jecTrace;
        for (const call of trace.calls) { call[0] = call[0].replace(/~(\d)/g, (_, word) => trace.words[word]); }
        boxes.forEach(box => build(box, trace));
    };
    document.head.append(script);
})();
