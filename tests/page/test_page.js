/* The page as people meet it: what it says at first sight in each state, light and dark, on a phone and on a desk, without
   a script, for who cannot see it (axe-core); and how it stays true while somebody looks. An argument picks cases. */
'use strict';
const assert = require('assert');
const { chromium } = require('playwright-core');
const axeSource = require('axe-core').source;

const { GALLERY, LIVE, SHOTS } = process.env;
const FIXTURES = process.env.FIXTURES.split(' ');
const PATIENCE = 120000;
const SIZES = { phone: { width: 320, height: 640 }, desktop: { width: 1280, height: 900 } };
let browser;

/* A context that notes whatever should not happen: other hosts, errors, reports of the policy, dialogs. */
async function visit(options, url, use, harmless = /^$/) {
  const context = await browser.newContext(options);
  const wrong = [];
  context.setDefaultTimeout(PATIENCE);
  context.on('request', (r) => {
    const u = new URL(r.url());
    if (u.protocol !== 'data:' && u.host !== new URL(url).host) wrong.push('asked ' + u.host);
  });
  context.on('console', (m) => { if (m.type() === 'error' && !harmless.test(m.text())) wrong.push(m.text()); });
  context.on('weberror', (e) => wrong.push(String(e.error())));
  context.on('dialog', (d) => { wrong.push('dialog'); d.dismiss(); });
  const page = await context.newPage();
  try {
    await page.goto(url);
    await use(page, context);
  } finally {
    await context.close();
  }
  assert.deepStrictEqual(wrong, []);
}

const act = async (what) => assert.strictEqual(await (await fetch(GALLERY + '_do/' + what)).text(), 'done');
const title = (text) => (t) => t.page.waitForFunction((want) => document.querySelector('h1').textContent === want, text);
const h1 = (page, text) => title(text)({ page });

async function axe(page, name) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const found = result.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | '));
  assert.deepStrictEqual(found, [], 'axe on ' + name);
  assert.ok(result.passes.length > 20, 'axe looked at ' + result.passes.length + ' rules');
}

async function noOverflow(page, name) {
  const [have, want] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(have <= want, `${name}: ${have} px wide, window ${want}`);
}

/* Within the first screen, without scrolling: does mail work, and why not. */
async function atFirstSight(page, name) {
  for (const selector of ['h1', '#banner .big p', '#banner .big > .icon']) {
    const box = await page.locator(selector).first().boundingBox();
    assert.ok(box && box.width > 0 && box.y + box.height <= page.viewportSize().height, `${name}: ${selector} is not in sight`);
  }
}

/* In the drawing no text runs out of its box, and none over another. */
async function drawing(page, name) {
  const wrong = await page.evaluate(() => {
    const found = [];
    for (const svg of document.querySelectorAll('svg.cluster')) {
      if (!svg.getBoundingClientRect().width) continue;
      for (const g of svg.querySelectorAll('.node, .thing')) {
        const box = g.querySelector('.box').getBoundingClientRect();
        const texts = [...g.querySelectorAll('text')].map((t) => [t.textContent, t.getBoundingClientRect()]);
        for (const [text, r] of texts)
          if (r.width && (r.right > box.right + 0.5 || r.bottom > box.bottom + 2 || r.left < box.left)) found.push('out of its box: ' + text);
      }
    }
    return found;
  });
  assert.deepStrictEqual(wrong, [], name);
}

const SAYS = {
  healthy: [/Mail works$/, /If n1 fails, n2 or n3 takes over/], standby: [/Mail works$/, /n1 serves it/],
  degraded: [/Mail works, but nobody could take over/, /no other node/], failing_over: [/Mail is moving to n2/, /starts the service/],
  halted: [/Mail does not work: no node leads/, /n1 is held back/], partly: [/only in part/, /dovecot-mailcow: exited/],
  undelivered: [/not delivered/, /not in the mailbox after 30 s/], silent: [/not known/, /last answered 47 s ago/],
  nothing: [/not known/, /has not answered yet/], alone: [/Mail works/, /of no cluster/], crowd: [/./, /./],
};

const CASES = {};

/* One visit each: colours and sizes change under it. axe sees both, each once. */
for (const name of FIXTURES)
  CASES[name] = () => visit({ reducedMotion: 'reduce', viewport: SIZES.desktop }, GALLERY + name, async (page) => {
    assert.match(await page.textContent('h1'), SAYS[name][0]);
    assert.match(await page.textContent('#banner .big'), SAYS[name][1]);
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: `${SHOTS}/page-${name}-${colorScheme}-${size}.png`, fullPage: true });
        if ((size === 'phone') === (colorScheme === 'dark')) await axe(page, `${name} ${colorScheme} ${size}`);
      }
      await page.evaluate(() => scrollTo(0, 0));
      await atFirstSight(page, `${name} ${size}`);
      await noOverflow(page, `${name} ${size}`);
      await drawing(page, `${name} ${size}`);
    }
    for (const d of await page.$$('details:not([open]) > summary')) await d.click();
    await noOverflow(page, name + ', unfolded');
  });

for (const name of ['healthy', 'halted', 'failing_over'])
  CASES[`${name} without a script`] = () => visit({ javaScriptEnabled: false, viewport: SIZES.phone }, GALLERY + name, async (page) => {
    assert.match(await page.innerText('h1'), SAYS[name][0]);
    assert.ok(await page.isHidden('#lost'));
    assert.ok(await page.isVisible('svg.cluster.tall'));
    assert.ok(await page.isHidden('svg.cluster.wide'));
    const text = await (await fetch(GALLERY + name)).text();
    assert.match(text, /<noscript><meta http-equiv="refresh" content="10"><\/noscript>/);
    await page.screenshot({ path: `${SHOTS}/page-${name}-noscript.png`, fullPage: true });
  });

CASES['a shape for each state, not only a colour'] = () => visit({}, GALLERY + 'degraded', async (page) => {
  const marks = await page.$$eval('svg.wide .node use', (all) => all.map((u) => u.getAttribute('href')));
  assert.ok(new Set(marks).size >= 4, marks.join());
  assert.match(await page.getAttribute('svg.wide', 'aria-label'), /n1 master, good; n2 standby, bad; n3 silent, not known; volume: n1; address: n1/);
});

CASES['the plot and the bars are what was reported'] = () => visit({}, GALLERY + 'undelivered', async (page) => {
  assert.strictEqual((await page.getAttribute('path.failed', 'd')).match(/M/g).length, 4);
  assert.match(await page.getAttribute('.plot svg', 'aria-label'), /120 messages, 4 failed/);
  const bars = await page.$$eval('.bar', (all) => all.map((b) => [...b.querySelectorAll('rect:not(.rail)')].map((r) => +r.getAttribute('width') + 1)));
  assert.strictEqual(bars.length, 3); /* newest first, on the scale of the longest: 31 s */
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(sum(bars[0]) - 14100 / 31) < 8 && Math.abs(sum(bars[1]) - 1000) < 8, bars.join('; '));
  assert.ok(Math.abs(bars[2][0] - 2900 / 31) < 2, bars[2].join());
});

/* ---- alive ---- */

CASES['it follows, without being loaded anew, and keeps what somebody does'] = async () => {
  await act('tell/healthy');
  await visit({}, LIVE, async (page) => {
    await h1(page, 'Mail works');
    await page.evaluate(() => { window.same = true; });
    await page.click('#good-checks summary'); /* it was open */
    await page.focus('footer a');
    await act('tell/partly');
    await h1(page, 'Mail works only in part');
    assert.match(await page.title(), /Mail works only in part - n1 - Mailcow HA/);
    assert.ok(await page.evaluate(() => window.same), 'was loaded anew');
    assert.strictEqual(await page.textContent('#spoken'), 'Mail works only in part');
    assert.strictEqual(await page.evaluate(() => document.activeElement.textContent), 'status.json');
    assert.match(await page.textContent('.functions .bad'), /Reading/);
    await act('tell/failing_over');
    await h1(page, 'Mail is moving to n2');
    await page.waitForSelector('.functions', { state: 'detached' });
    await page.focus('#good-checks summary');
    await page.click('#good-checks summary');
    const open = await page.evaluate(() => document.getElementById('good-checks').open);
    await act('tell/halted');
    await h1(page, 'Mail does not work: no node leads');
    assert.strictEqual(await page.evaluate(() => document.getElementById('good-checks').open), open);
    assert.strictEqual(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
    await act('tell/healthy');
    await h1(page, 'Mail works');
    await axe(page, 'after it was exchanged');
  });
};

CASES['a daemon that hangs makes nothing look good'] = async () => {
  await act('tell/healthy');
  await visit({}, LIVE, async (page) => {
    await h1(page, 'Mail works');
    await act('mode/hang');
    await h1(page, 'It is not known whether mail works');
    assert.match(await page.getAttribute('body', 'class'), /old/);
    await act('mode/fine');
    await h1(page, 'Mail works');
    await page.waitForSelector('body:not(.old)');
  });
};

CASES['a node that answers no more is told by the page itself, once it is back it goes on'] = async () => {
  await act('tell/healthy');
  await visit({}, LIVE, async (page) => {
    await h1(page, 'Mail works');
    await act('kill');
    await page.waitForSelector('#lost:not([hidden])');
    assert.match(await page.textContent('#lost'), /has not answered for \d+ s/);
    await axe(page, 'lost');
    await page.screenshot({ path: `${SHOTS}/page-lost.png` });
    await act('start');
    await page.waitForSelector('#lost', { state: 'hidden' });
    await h1(page, 'Mail works');
  }, /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
};

CASES['nobody looks: nothing is asked; somebody looks again: at once'] = async () => {
  await act('tell/healthy');
  await visit({}, LIVE, async (page) => {
    let asked = 0;
    page.on('request', (r) => { if (r.url() === LIVE) asked++; });
    const hide = (hidden) => page.evaluate((h) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => h });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await page.waitForRequest(LIVE);
    await h1(page, 'Mail works');
    await hide(true);
    await page.waitForTimeout(1000); /* one that is on its way may end */
    asked = 0;
    await page.waitForTimeout(11000); /* two turns */
    assert.strictEqual(asked, 0);
    const again = page.waitForRequest(LIVE);
    await hide(false);
    await again;
  });
};

async function main() {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', timeout: 6 * PATIENCE,
    args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  let failed = 0, done = 0;
  for (const [name, run] of Object.entries(CASES)) {
    if (process.argv[2] && !name.includes(process.argv[2])) continue;
    const start = Date.now();
    try {
      await run();
      console.log(`ok    ${name} (${Date.now() - start} ms)`);
    } catch (e) {
      failed++;
      console.log(`FAIL  ${name}\n      ${String(e.stack || e).split('\n').slice(0, 30).join('\n      ')}`);
    }
    done++;
  }
  await browser.close();
  console.log(`${done - failed} of ${done} passed`);
  process.exit(failed || !done ? 1 : 0);
}

main().catch((e) => { console.error(e); process.exit(1); });
