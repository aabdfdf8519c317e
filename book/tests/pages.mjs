// The built book in a real browser: node pages.mjs DIRECTORY
//
// Every page loads without an error or a request to anywhere else, fits three
// widths in both themes, and has no fault that axe-core calls serious. Search
// finds, themes switch, commands are copied without prompt and output, and all
// works without JavaScript as far as it can. Each stepper is walked to its end, by button
// and by key, and opens at the step that a link names. Screenshots: target/book/screens.
//
//   node pages.mjs DIRECTORY PAGE...   only these pages, and no more than how they look
import { createServer } from "node:http";
import { readFile, mkdir } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const book = resolve(process.argv[2]);
const shots = resolve("../screens");
const widths = [[360, 740], [768, 1024], [1440, 900]];
const themes = ["light", "dark"];
const types = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2" };

let passed = 0;
const failures = [];
function check(what, good, seen = "") {
    if (good) { passed += 1; return; }
    failures.push(what);
    console.log(`FAILED ${what}: ${seen}`);
}

const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    try {
        const file = await readFile(join(book, path));
        response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" });
        response.end(file);
    } catch {
        response.writeHead(404);
        response.end();
    }
});
await new Promise(ready => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});

// A page of the book; whatever goes wrong while it is open is a failure.
async function open(name, options = {}) {
    const { theme = "light", ...rest } = options;
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...rest });
    if (rest.javaScriptEnabled !== false) {
        await context.addInitScript(theme => {
            localStorage.getItem("mdbook-theme") ?? localStorage.setItem("mdbook-theme", theme);
            window.print = () => {};
        }, theme);
    }
    const page = await context.newPage();
    page.on("console", message => message.type() === "error" && check(`${name}: no error`, false, message.text()));
    page.on("pageerror", error => check(`${name}: no exception`, false, error));
    page.on("request", request => request.url().startsWith(origin) || request.url().startsWith("data:")
        || check(`${name}: no request elsewhere`, false, request.url()));
    page.on("response", response => response.ok() || check(`${name}: all is there`, false, response.url()));
    await page.goto(`${origin}/${name}`);
    return page;
}

// What sticks out of the window, and is not in something that scrolls by itself.
function overflowing() {
    const limit = document.documentElement.clientWidth;
    const scrolls = element => {
        for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
            if (up.id === "mdbook-sidebar" || ["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) { return true; }
        }
        return false;
    };
    return [...document.querySelectorAll("main *, header *, .turn *")]
        .filter(element => element.getBoundingClientRect().right > limit + 1 && !scrolls(element))
        .map(element => element.outerHTML.slice(0, 120));
}

async function looks(name) {
    for (const theme of themes) {
        // One page for each theme: only its window changes.
        const page = await open(name, { theme });
        for (const [width, height] of widths) {
            await page.setViewportSize({ width, height });
            await page.reload();
            const wide = await page.evaluate(overflowing);
            const scroll = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
            check(`${name} fits ${width} px`, wide.length === 0 && !scroll, wide.join("\n") || "it scrolls sideways");
            const shot = `${name.replaceAll("/", "_").replace(".html", "")}-${width}-${theme}.png`;
            // A picture of more would repeat itself (Chromium's textures end there): then its beginning.
            const fullPage = await page.evaluate(() => document.documentElement.scrollHeight <= 16384);
            await page.screenshot({ path: join(shots, shot), fullPage });
            if (width !== 768) {
                await page.addScriptTag({ path: axe });
                const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
                const serious = violations.filter(fault => ["serious", "critical"].includes(fault.impact));
                check(`${name} is accessible, ${width} px, ${theme}`, serious.length === 0,
                    serious.map(fault => `${fault.id}: ${fault.nodes.map(node => node.target).slice(0, 4).join(" | ")}`).join("\n"));
            }
        }
        await page.context().close();
    }
}

async function search() {
    const page = await open("index.html");
    await page.keyboard.press("/");
    await page.waitForSelector("#mdbook-searchbar");
    await page.locator("#mdbook-searchbar").pressSequentially("chroot");
    await page.waitForSelector("#mdbook-searchresults li");
    const first = await page.textContent("#mdbook-searchresults");
    check("search finds", first.includes("pivot-root"), first);
    await page.click("#mdbook-searchresults a");
    await page.waitForURL(/pivot-root\.html/);
    check("what was found is marked", await page.locator("mark").count() > 0);
    await page.context().close();
}

async function switching() {
    const page = await open("index.html");
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.click("#mdbook-theme-toggle");
    await page.click("#mdbook-theme-dark");
    const dark = await background();
    check("themes switch", light !== dark, `${light} ${dark}`);
    await page.goto(`${origin}/pivot-root.html`);
    check("the theme stays", await background() === dark);
    await page.context().close();

    const system = await browser.newContext({ colorScheme: "dark" });
    const fresh = await system.newPage();
    await fresh.goto(`${origin}/index.html`);
    const chosen = await fresh.evaluate(() => document.documentElement.classList.contains("dark"));
    check("the system's choice counts", chosen);
    await system.close();
}

async function copying() {
    const page = await open("index.html", { permissions: ["clipboard-read", "clipboard-write"] });
    const command = page.locator(".console pre.command").first();
    await command.hover();
    await command.locator(".clip-button").click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    const typed = await command.locator("code").textContent();
    check("a command is copied without its prompt", copied === typed && !copied.startsWith("$"), copied);
    const selected = await page.evaluate(() => {
        getSelection().selectAllChildren(document.querySelector(".console"));
        return getSelection().toString();
    });
    check("a selection leaves the prompt out", !selected.includes("$ "), selected);
    await page.context().close();
}

async function keyboard() {
    const page = await open("index.html", { viewport: { width: 360, height: 740 } });
    const expanded = () => page.getAttribute("#mdbook-sidebar-toggle", "aria-expanded");
    await page.focus("#mdbook-sidebar-toggle");
    await page.keyboard.press("Enter");
    check("the contents open by the keyboard", await expanded() === "true");
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(shots, "contents-360.png") });
    await page.keyboard.press("Enter");
    check("and close", await expanded() === "false");
    await page.keyboard.press("ArrowRight");
    await page.waitForURL(url => !url.pathname.endsWith("index.html"));
    passed += 1;
    await page.context().close();
}

// Of each page that has one: to the end by the button, back and on by keys, to a step by a link.
async function stepping(name) {
    let page = await open(name);
    let output = page.locator(".stepper output");
    await output.waitFor();
    const place = async () => (await output.textContent()).split(" of ").map(Number);
    const [first, all] = await place();
    check(`${name}: the stepper begins at its begin`, first === 1 && all > 0, `${first} of ${all}`);
    const next = page.getByRole("button", { name: "Next" });
    const seen = new Set();
    for (let step = 1; step <= all; step += 1) {
        seen.add(await page.textContent(".stepper .now .call"));
        if (step < all) { await next.click({ noWaitAfter: true }); }
    }
    check(`${name}: the button leads to the end`, (await place())[0] === all && await next.isDisabled(), await output.textContent());
    check(`${name}: steps differ`, seen.size > all / 8, `${seen.size} of ${all}`);
    check(`${name}: the address names the step`, page.url().endsWith(all > 1 ? `#step=${all}` : name), page.url());
    if (all > 1) {
        await page.keyboard.press("b");
        check(`${name}: B leads back`, (await place())[0] === all - 1);
        await page.keyboard.press("n");
        check(`${name}: N leads on`, (await place())[0] === all);
        await page.focus(".stepper .calls a[aria-current]");
        await page.keyboard.press("ArrowLeft");
        check(`${name}: in the frame, so do arrows`, (await place())[0] === all - 1 && page.url().includes(name));
        for (let step = 1; step < all; step += 1) { await page.keyboard.press("b"); }
        check(`${name}: and to the begin`, (await place())[0] === 1);
    }
    const middle = Math.ceil(all / 2);
    await page.context().close();
    page = await open(`${name}#step=${middle}`);
    output = page.locator(".stepper output");
    await output.waitFor();
    check(`${name}: a link opens at its step`, (await place())[0] === middle, await output.textContent());
    check(`${name}: and shows it`, await page.locator(".stepper").evaluate(box => box.getBoundingClientRect().top < innerHeight / 2));
    if (await page.getByRole("switch").count() > 0) {
        await page.getByRole("switch").check();
        check(`${name}: without the stage, the attack is shown`, await page.locator(".without .console").nth(1).isVisible());
        check(`${name}: and the steps are not`, await page.locator(".stepper .walk").isHidden());
        await page.locator(".stepper").screenshot({ path: join(shots, `without-${name.replace(".html", "")}.png`) });
    }
    await page.context().close();
}

// The marked change, as a reader sees it: a phone and a desk, light and dark.
async function stepperLooks() {
    for (const theme of themes) {
        for (const [width, height] of [widths[0], widths[2]]) {
            const page = await open("pivot-root.html#step=6", { theme, viewport: { width, height } });
            await page.locator(".stepper output").waitFor();
            await page.locator(".stepper").screenshot({ path: join(shots, `stepper-${width}-${theme}.png`) });
            await page.context().close();
        }
    }
}

async function withoutScripts() {
    for (const colorScheme of themes) {
        const page = await open("pivot-root.html", { javaScriptEnabled: false, colorScheme, viewport: { width: 768, height: 1024 } });
        check("the text is there without scripts", (await page.textContent("main")).includes("The kernel object"));
        check("a way on is there without scripts", await page.locator("nav.turn a").count() > 0);
        check("the steps are a table without scripts", await page.locator(".stepper table tr[id='step=1']").isVisible());
        await page.locator("details.answer summary").first().click();
        check("answers unfold without scripts", await page.locator("details.answer pre").first().isVisible());
        await page.screenshot({ path: join(shots, `no-scripts-${colorScheme}.png`) });
        await page.context().close();
    }
}

async function paper() {
    const page = await open("print.html");
    await page.waitForTimeout(300);
    await page.pdf({ path: join(shots, "print.pdf"), format: "A4" });
    const folded = await page.locator("details:not([open])").count();
    check("nothing is folded on paper", folded === 0, `${folded} folded`);
    await page.context().close();
}

await mkdir(shots, { recursive: true });
// toc.html is the contents without scripts; index.html is the first chapter again.
const all = readdirSync(book).filter(name => name.endsWith(".html") && !["toc.html", "index.html"].includes(name));
const wanted = process.argv.slice(3).map(name => `${name}.html`);
const pages = wanted.length ? wanted : all;
// A page that is not one: it fails by its name, and the others are looked at all the same.
async function attempt(name, test) {
    await test().catch(error => check(name, false, error.message));
}
if (!wanted.length) {
    await attempt("source", () => looks("source/src/stages/pivot_root.rs.html"));
    for (const test of [search, switching, copying, keyboard, stepperLooks, withoutScripts, paper]) { await attempt(test.name, test); }
}
for (const name of pages) {
    await attempt(name, () => looks(name));
    const text = await readFile(join(book, name), "utf8");
    if (name !== "print.html" && text.includes("class=\"stepper\"")) { await attempt(`${name}: steps`, () => stepping(name)); }
}
await browser.close();
server.close();
console.log(`book: ${pages.length} pages in Chromium, screenshots in ${shots}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
