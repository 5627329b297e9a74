/* The portal as people meet it: scripts on and off, keyboard, themes, sizes, languages, and what axe-core has
   to say about every page. CASES is the list; an argument picks those whose names have it in them. */
'use strict';
const assert = require('assert');
const { chromium } = require('playwright-core');
const axeSource = require('axe-core').source;

const STACKS = JSON.parse(process.env.STACKS);
const SHOTS = process.env.SHOTS;
const OPEN = STACKS.open.url;
const PASSWORD = 'umbrella tree 42 <&>';
let browser, serial = 0;

const unique = (prefix) => prefix + process.pid + 'x' + serial++;

/* A context that notes whatever should not happen: other hosts, errors, CSP reports. */
async function visit(options, url, use) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', ...options });
  const wrong = [];
  context.setDefaultTimeout(120000);
  const host = new URL(url).host;
  context.on('request', (r) => {
    const u = new URL(r.url());
    if (u.protocol !== 'data:' && u.host !== host) wrong.push('asked ' + u.host);
  });
  context.on('console', (m) => { if (m.type() === 'error' && !/status of (422|503|404|403)/.test(m.text())) wrong.push(m.text()); });
  context.on('weberror', (e) => wrong.push(String(e.error())));
  const page = await context.newPage();
  try {
    await page.goto(url);
    await use(page, context);
  } catch (e) {
    const seen = await page.innerText('main').catch(() => 'nothing');
    e.stack += '\n      on ' + page.url() + ': ' + wrong.join('; ') + ' ' + seen.replace(/\s+/g, ' ').slice(0, 600);
    throw e;
  } finally {
    await context.close();
  }
  assert.deepStrictEqual(wrong, []);
}

async function axe(page, name) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const found = result.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | '));
  assert.deepStrictEqual(found, [], 'axe on ' + name);
}

const shot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });

async function fill(page, local) {
  await page.fill('#name', 'Zoë O’Neil');
  await page.fill('#local_part', local);
  await page.fill('#password', PASSWORD);
  await page.fill('#password2', PASSWORD);
  if (await page.$('#consent')) await page.check('#consent');
}

async function noOverflow(page, name) {
  const [have, want] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(have <= want, `${name}: ${have} px wide, window ${want}`);
}

async function mailbox(stack, address) {
  const state = await (await fetch(STACKS[stack].api + '/_state')).json();
  return state.mailboxes[address];
}

async function addsOf(stack, local) {
  const state = await (await fetch(STACKS[stack].api + '/_state')).json();
  return state.requests.filter((r) => r.line.startsWith('POST /api/v1/add/mailbox') && r.body.includes('"' + local + '"')).length;
}

const CASES = {};

for (const code of ['en-gb', 'de-de', 'fr-fr', 'es-es', 'it-it'])
  CASES['success in ' + code] = () => visit({}, OPEN + '?lang=' + code, async (page) => {
    const local = unique('lang');
    await fill(page, local);
    await axe(page, 'form ' + code);
    await noOverflow(page, code);
    await shot(page, 'form-' + code);
    await page.click('#submit');
    await page.waitForSelector('#address');
    assert.strictEqual(await page.getAttribute('html', 'lang'), code.slice(0, 2));
    assert.strictEqual(await page.textContent('#address'), local + '@example.org');
    await axe(page, 'success ' + code);
    await shot(page, 'success-' + code);
    assert.strictEqual((await mailbox('open', local + '@example.org')).password, PASSWORD);
  });

CASES['errors next to their fields, and in a list that has the focus'] = () => visit({}, OPEN, async (page) => {
  await page.fill('#name', 'x');
  await page.fill('#local_part', 'a..b');
  await page.fill('#password', 'short');
  await page.fill('#password2', 'other');
  await page.fill('#recovery', 'nobody');
  await page.click('#submit');
  await page.waitForSelector('#alert');
  assert.strictEqual(await page.evaluate(() => document.activeElement.id), 'alert');
  for (const id of ['name', 'local_part', 'password', 'password2', 'recovery', 'consent']) {
    assert.ok(await page.$(`#${id}-error`), id);
    assert.strictEqual(await page.getAttribute('#' + id, 'aria-invalid'), 'true', id);
    assert.ok((await page.getAttribute('#' + id, 'aria-describedby')).includes(id + '-error'), id);
  }
  assert.strictEqual(await page.inputValue('#name'), 'x');
  assert.strictEqual(await page.inputValue('#password'), '');
  await axe(page, 'errors');
  await shot(page, 'errors');
  await page.click('#alert a[href="#local_part"]');
  assert.strictEqual(await page.evaluate(() => document.activeElement.id), 'local_part');
  const local = unique('mended');
  await fill(page, local);
  await page.fill('#recovery', '');
  await page.click('#submit');
  await page.waitForSelector('#address');
});

CASES['taken: told once the gate is passed, which need not be passed again'] = () => visit({}, OPEN, async (page) => {
  await fill(page, 'info');
  await page.click('#submit');
  await page.waitForSelector('#local_part-error');
  assert.strictEqual(await page.$('#gates'), null);
  await axe(page, 'taken');
  await fill(page, unique('free'));
  await page.click('#submit');
  await page.waitForSelector('#address');
});

CASES['keyboard only'] = () => visit({}, OPEN, async (page) => {
  const local = unique('keys'), order = [];
  const text = { name: 'Key Board', local_part: local, password: PASSWORD, password2: PASSWORD };
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const id = await page.evaluate(() => {
      const e = document.activeElement, s = getComputedStyle(e);
      return { id: e.id, seen: s.outlineStyle !== 'none' || s.boxShadow !== 'none' };
    });
    order.push(id.id);
    assert.ok(id.seen, 'no focus to be seen on ' + id.id);
    if (text[id.id]) await page.keyboard.type(text[id.id]);
    if (id.id === 'consent') await page.keyboard.press('Space');
    if (id.id === 'submit') break;
  }
  assert.ok(order.indexOf('name') < order.indexOf('password') && order.includes('submit'), order.join());
  assert.ok(!order.includes('website'));
  await page.keyboard.press('Enter');
  await page.waitForSelector('#address');
});

CASES['enter in a field sends the form, not the refresh button'] = () => visit({}, OPEN, async (page) => {
  await fill(page, unique('enter'));
  await page.press('#password2', 'Enter');
  await page.waitForSelector('#address');
});

CASES['sent before the calculation is done: it goes when that is'] = () => visit({}, OPEN, async (page) => {
  await page.route('**/pow*.js', async (route) => { await new Promise((r) => setTimeout(r, 1500)); await route.continue(); });
  await page.reload();
  await fill(page, unique('early'));
  await page.press('#password2', 'Enter');
  assert.strictEqual(await page.inputValue('#pow'), '');
  await page.waitForSelector('#address');
});

CASES['no script: form, errors, another challenge, languages'] = () => visit({ javaScriptEnabled: false }, OPEN, async (page) => {
  assert.ok(await page.isVisible('#captcha'));
  assert.ok(await page.isHidden('#generate'));
  assert.ok(await page.isHidden('#theme'));
  assert.ok(await page.isHidden('#gate-pow'));
  await fill(page, unique('plain'));
  const ticket = await page.inputValue('#ticket');
  await page.click('#refresh');
  await page.waitForLoadState();
  assert.notStrictEqual(await page.inputValue('#ticket'), ticket);
  assert.strictEqual(await page.inputValue('#name'), 'Zoë O’Neil');
  await fill(page, unique('plain'));
  await page.fill('#captcha-answer', 'nonono');
  await page.click('#submit');
  await page.waitForSelector('#gate-error');
  await shot(page, 'no-script');
  await page.click('#languages summary');
  await page.click('#languages a[lang="de"]');
  assert.strictEqual(await page.getAttribute('html', 'lang'), 'de');
});

for (const scheme of ['light', 'dark'])
  CASES['theme: the system says ' + scheme] = () => visit({ colorScheme: scheme }, OPEN, async (page) => {
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const colours = { light: 'rgb(251, 251, 251)', dark: 'rgb(28, 28, 30)' };
    const other = scheme === 'light' ? 'dark' : 'light';
    assert.strictEqual(await back(), colours[scheme]);
    assert.strictEqual(await page.isChecked('#dark-mode-toggle'), scheme === 'dark');
    await axe(page, scheme);
    await shot(page, 'form-' + scheme);
    await page.click('#dark-mode-toggle');
    assert.strictEqual(await back(), colours[other]);
    assert.strictEqual(await page.evaluate(() => localStorage.getItem('mailcow_theme')), other);
    await axe(page, other + ' by hand');
    await page.reload();
    assert.strictEqual(await back(), colours[other]);
    await page.click('#submit');
    await page.waitForSelector('#alert');
    await axe(page, other + ' with errors');
    await shot(page, 'errors-' + other);
  });

for (const [name, options] of Object.entries({
  '320 px': { viewport: { width: 320, height: 640 } },
  '390 px': { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  'zoom 200 %': { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  '1280 px': { viewport: { width: 1280, height: 900 } },
}))
  CASES['size: ' + name] = async () => {
    for (const [stack, lang] of [['open', 'fr-fr'], ['many', 'de-de'], ['closed', 'en-gb']])
      await visit(options, STACKS[stack].url + '?lang=' + lang, async (page) => {
        await noOverflow(page, name + ' ' + stack);
        await shot(page, `${stack}-${name.replace(/[^0-9a-z]+/g, '')}`);
        if (stack === 'closed') return;
        await page.click('#languages summary');
        await noOverflow(page, name + ' menu');
        const box = await page.locator('#submit').boundingBox();
        assert.ok(box.height >= 24);
      });
  };

CASES['small targets are none'] = () => visit({ viewport: { width: 320, height: 640 } }, OPEN, async (page) => {
  await page.click('#languages summary');
  const small = await page.evaluate(() => [...document.querySelectorAll('button, input, summary, select, .languages a')]
    .filter((e) => e.offsetParent && !e.closest('.elsewhere') && !e.classList.contains('first') && e.type !== 'hidden')
    .map((e) => [e.id || e.textContent, e.getBoundingClientRect()])
    .filter(([, r]) => r.height < 24 && r.height !== 18).map(([n, r]) => `${n} ${r.width}x${r.height}`));
  assert.deepStrictEqual(small, []);
});

CASES['password: show, suggest, strength'] = () => visit({}, OPEN, async (page) => {
  await page.fill('#password', 'aaaa');
  assert.strictEqual(await page.textContent('#strength span'), 'Easy to guess');
  await page.click('#show');
  assert.strictEqual(await page.getAttribute('#password', 'type'), 'text');
  await page.click('#show');
  await page.click('#generate');
  const one = await page.inputValue('#password');
  assert.match(one, /^[A-Za-z0-9]{5}(-[A-Za-z0-9]{5}){3}$/);
  assert.strictEqual(await page.inputValue('#password2'), one);
  assert.strictEqual(await page.textContent('#strength span'), 'Strong');
  await page.click('#generate');
  assert.notStrictEqual(await page.inputValue('#password'), one);
  await axe(page, 'password shown');
});

CASES['captcha: another one keeps what was typed'] = () => visit({}, OPEN, async (page) => {
  await fill(page, 'kept');
  await page.check('#gate-image');
  const before = await page.getAttribute('#captcha', 'src');
  await page.waitForFunction(() => document.getElementById('captcha').naturalWidth === 240);
  await axe(page, 'image gate');
  await shot(page, 'gate-image');
  await page.click('#refresh');
  await page.waitForFunction((src) => document.getElementById('captcha').getAttribute('src') !== src, before);
  assert.strictEqual(await page.inputValue('#local_part'), 'kept');
  assert.strictEqual(await page.inputValue('#password'), PASSWORD);
});

CASES['sound: it plays, and can be had anew'] = () => visit({}, OPEN, async (page) => {
  await page.check('#gate-audio');
  const sound = () => page.evaluate(() => new Promise((done) => {
    const a = document.getElementById('captcha-audio');
    const tell = () => done({ src: a.currentSrc, seconds: a.duration, error: a.error && a.error.message });
    a.addEventListener('loadedmetadata', tell);
    a.addEventListener('error', tell);
    a.preload = 'auto';
    a.load();
  }));
  const first = await sound();
  assert.strictEqual(first.error, null);
  assert.ok(first.seconds > 3 && first.seconds < 20, String(first.seconds));
  await axe(page, 'sound gate');
  await shot(page, 'gate-audio');
  await page.click('#refresh');
  await page.waitForFunction((src) => document.getElementById('captcha-audio').currentSrc !== src, first.src);
  assert.strictEqual((await sound()).error, null);
});

CASES['two clicks are one mailbox'] = () => visit({}, OPEN, async (page) => {
  const local = unique('double');
  await fill(page, local);
  await page.waitForFunction(() => document.getElementById('pow').value !== '');
  await page.dblclick('#submit');
  await page.waitForSelector('#address');
  assert.strictEqual(await addsOf('open', local), 1);
});

CASES['back, and forth again'] = () => visit({}, OPEN, async (page) => {
  const local = unique('back');
  await fill(page, local);
  await page.click('#submit');
  await page.waitForSelector('#address');
  await page.goBack();
  await page.waitForSelector('#signup');
  assert.strictEqual(await page.textContent('#submit'), 'Create mailbox');
  await fill(page, unique('again'));
  await page.click('#submit');
  await page.waitForSelector('#address');
});

CASES['reload of the success page makes nothing new'] = () => visit({}, OPEN, async (page) => {
  const local = unique('reload');
  await fill(page, local);
  await page.click('#submit');
  await page.waitForSelector('#address');
  await page.reload();
  await page.waitForSelector('#address');
  assert.strictEqual(await addsOf('open', local), 1);
});

CASES['two tabs'] = () => visit({}, OPEN, async (page, context) => {
  const second = await context.newPage();
  await second.goto(OPEN);
  for (const p of [page, second]) {
    await fill(p, unique('tab'));
    await p.click('#submit');
    await p.waitForSelector('#address');
  }
});

CASES['fail-over between form and answer: another instance, the same database'] = () => visit({}, STACKS.two.url, async (page) => {
  const local = unique('moved'), alive = () => { try { return process.kill(STACKS.two.pid, 0); } catch { return false; } };
  await fill(page, local);
  assert.ok(alive());
  process.kill(process.ppid, 'SIGUSR1'); // tests/browser/run
  for (const end = Date.now() + 60000; alive() && Date.now() < end;) await new Promise((done) => setTimeout(done, 50));
  assert.ok(!alive());
  await page.click('#submit');
  await page.waitForSelector('#address');
  assert.ok(await mailbox('two', local + '@example.org'));
  assert.strictEqual(await addsOf('two', local), 1);
});

CASES['expired: a new challenge, and nothing is lost'] = () => visit({}, OPEN, async (page) => {
  await fill(page, unique('late'));
  await page.check('#gate-image');
  await page.evaluate(() => { document.getElementById('ticket').value = 'AXHHg9MAAAAA'; });
  await page.fill('#captcha-answer', 'ABCDEF');
  await page.click('#submit');
  await page.waitForSelector('#gate-error');
  assert.strictEqual(await page.inputValue('#name'), 'Zoë O’Neil');
  assert.ok(await page.isChecked('#gate-image'));
  assert.strictEqual(await page.inputValue('#captcha-answer'), '');
});

CASES['too fast: the same form a moment later'] = () => visit({}, STACKS.slow.url, async (page) => {
  const local = unique('fast');
  await fill(page, local);
  await page.waitForFunction(() => document.getElementById('pow').value !== '');
  await page.click('#submit');
  const early = await page.waitForSelector('#gate-error, #address');
  if (await early.getAttribute('id') === 'address') return;
  await page.waitForTimeout(2100);
  await fill(page, local);
  await page.click('#submit');
  await page.waitForSelector('#address');
});

CASES['other pages'] = async () => {
  await visit({}, STACKS.approval.url, async (page) => {
    await axe(page, 'approval form');
    await fill(page, unique('wait'));
    await page.click('#submit');
    await page.waitForSelector('#address');
    assert.match(await page.textContent('h1'), /Almost there/);
    await axe(page, 'pending');
    await shot(page, 'pending');
  });
  await visit({ colorScheme: 'dark' }, STACKS.closed.url, async (page) => {
    await axe(page, 'closed');
    await shot(page, 'closed');
  });
  await visit({}, STACKS.many.url, async (page) => {
    await page.selectOption('#domain', 'example.net');
    await axe(page, 'many domains');
    await page.goto(STACKS.many.url + 'nothing');
    await axe(page, 'not found');
  });
};

CASES['right to left'] = () => visit({}, OPEN, async (page) => {
  await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
  await noOverflow(page, 'rtl');
  await shot(page, 'rtl');
});

async function main() {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
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
