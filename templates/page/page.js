/* Keeps the page fresh: asks for it again while somebody looks, puts in what has changed, and says so when nothing
   comes any more. A hidden tab asks for nothing; a node that does not answer is asked less and less often. */
'use strict';
(() => {
  const EVERY = 5000, SLOWEST = 40000, PATIENCE = 4000;
  const lost = document.getElementById('lost'), spoken = document.getElementById('spoken');
  let heard = Date.now(), wait = EVERY, timer = 0, asking = false;

  const parts = (doc) => new Map([...doc.querySelectorAll('#live > [data-part], [data-part="seen"], [data-part="version"]')]
    .map((e) => [e.dataset.part, e]));
  const asset = (doc) => [...doc.querySelectorAll('link[rel="stylesheet"], script')]
    .map((e) => e.getAttribute('href') || e.getAttribute('src')).join();

  /* What somebody has opened or is selecting stays as it is. */
  function replace(before, after) {
    if (before.outerHTML === after.outerHTML) return;
    const selection = getSelection();
    if (!selection.isCollapsed && before.contains(selection.anchorNode)) return;
    for (const d of before.querySelectorAll('details[id]')) {
      const same = after.querySelector('#' + d.id);
      if (same) same.open = d.open;
    }
    const focus = before.contains(document.activeElement) && document.activeElement;
    const at = focus ? [...before.querySelectorAll(focus.tagName)].indexOf(focus) : -1;
    const scroll = [...before.querySelectorAll('.scroll')].map((e) => e.scrollLeft);
    before.replaceWith(after);
    after.querySelectorAll('.scroll').forEach((e, i) => { e.scrollLeft = scroll[i] || 0; });
    if (focus && after.querySelectorAll(focus.tagName)[at]) after.querySelectorAll(focus.tagName)[at].focus({ preventScroll: true });
  }

  function update(text) {
    const doc = new DOMParser().parseFromString(text, 'text/html');
    const now = parts(doc), before = parts(document), live = document.getElementById('live');
    if (!now.has('banner')) throw new Error('not our page');
    if (asset(doc) !== asset(document)) return location.reload();
    const order = [...now.keys()].join() === [...before.keys()].join();
    const title = (d) => d.querySelector('h1').textContent;
    if (title(doc) !== title(document)) spoken.textContent = title(doc);
    if (!order) live.replaceChildren(...doc.getElementById('live').childNodes);
    else for (const [name, e] of now) replace(before.get(name), e);
    document.title = doc.title;
    document.body.className = doc.body.className;
    document.querySelector('link[rel="icon"]').href = doc.querySelector('link[rel="icon"]').href;
  }

  function tell() {
    const s = Math.round((Date.now() - heard) / 1000);
    lost.hidden = s < 12;
    if (!lost.hidden) lost.textContent = 'This node has not answered for ' + s + ' s. What you see is how it was then.';
    document.body.classList.toggle('alone', !lost.hidden);
  }

  async function ask() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error('status ' + answer.status);
      update(await answer.text());
      heard = Date.now();
      wait = EVERY;
    } catch (e) {
      wait = Math.min(wait * 2, SLOWEST);
    }
    asking = false;
    tell();
    timer = setTimeout(ask, wait);
  }

  document.addEventListener('visibilitychange', ask);
  setInterval(() => { if (!document.hidden && !lost.hidden) tell(); }, 1000);
  timer = setTimeout(ask, EVERY);
})();
