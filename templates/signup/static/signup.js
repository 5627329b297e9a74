/* Comfort only: every page works without it. No inline script, no third party, nothing is sent but the
   form itself and, for a new challenge, a request without parameters. */
'use strict';
(function () {
  var $ = function (id) { return document.getElementById(id); };
  var root = document.documentElement;

  /* ---- theme: shared with Mailcow by localStorage ---- */
  function theme() {
    var box = $('dark-mode-toggle'), media = window.matchMedia('(prefers-color-scheme: dark)');
    var show = function () { box.checked = root.dataset.theme ? root.dataset.theme === 'dark' : media.matches; };
    $('theme').hidden = false;
    show();
    media.addEventListener('change', show);
    box.addEventListener('change', function () {
      root.dataset.theme = box.checked ? 'dark' : 'light';
      try { localStorage.setItem('mailcow_theme', root.dataset.theme); } catch (e) { /* not kept */ }
    });
  }

  function languages() {
    var menu = $('languages');
    document.addEventListener('click', function (e) { if (!menu.contains(e.target)) menu.open = false; });
    menu.addEventListener('keydown', function (e) {
      if (e.key === 'Escape' && menu.open) { menu.open = false; menu.querySelector('summary').focus(); }
    });
  }

  /* ---- password ---- */
  var SYMBOLS = 'abcdefghjkmnpqrstuvwxyz', DIGITS = '23456789', CAPITALS = 'ABCDEFGHJKMNPQRSTUVWXYZ';

  function random(below) {
    var one = new Uint32Array(1), limit = 4294967296 - 4294967296 % below;
    do crypto.getRandomValues(one); while (one[0] >= limit);
    return one[0] % below;
  }

  /* Four groups of five, with a capital and a digit in each: about 90 bits, easy to type. */
  function suggestion() {
    var groups = [];
    for (var g = 0; g < 4; g++) {
      var group = [];
      for (var i = 0; i < 5; i++) group.push(SYMBOLS[random(SYMBOLS.length)]);
      var capital = random(5), digit = (capital + 1 + random(4)) % 5;
      group[capital] = CAPITALS[random(CAPITALS.length)];
      group[digit] = DIGITS[random(DIGITS.length)];
      groups.push(group.join(''));
    }
    return groups.join('-');
  }

  /* 0 to 3 by length and variety. Only a hint: the server decides. */
  function strength(text) {
    if (!text) return 0;
    var different = new Set(text).size, kinds = 0;
    [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].forEach(function (k) { if (k.test(text)) kinds++; });
    var bits = Math.min(text.length, different * 2) * Math.log2(10 + 14 * kinds);
    return bits < 50 || different < 5 ? 1 : bits < 75 ? 2 : 3;
  }

  function passwords() {
    var one = $('password'), two = $('password2'), show = $('show'), line = $('strength');
    var words = ['', line.dataset.weak, line.dataset.fair, line.dataset.good];
    var judge = function () {
      var s = strength(one.value);
      line.hidden = s === 0;
      line.querySelector('meter').value = s;
      if (line.lastElementChild.textContent !== words[s]) line.lastElementChild.textContent = words[s];
    };
    var reveal = function (on) {
      one.type = two.type = on ? 'text' : 'password';
      show.setAttribute('aria-pressed', String(on));
    };
    show.hidden = $('generate').hidden = false;
    show.addEventListener('click', function () { reveal(one.type === 'password'); });
    one.addEventListener('input', judge);
    $('generate').addEventListener('click', function () {
      one.value = two.value = suggestion();
      reveal(true);
      judge();
      one.focus();
      one.select();
    });
  }

  /* ---- gates ---- */
  function radios() { return document.querySelectorAll('input[type="radio"][name="gate"]'); }

  function chosen() {
    var on = document.querySelector('input[name="gate"]:checked, input[type="hidden"][name="gate"]');
    return on ? on.value : '';
  }

  function showChosen() {
    var kind = chosen(), typed = $('typed');
    document.querySelectorAll('.gate').forEach(function (g) {
      var answer = g.querySelector('.answer'), on = g.dataset.gate === kind;
      answer.hidden = !on;
      if (typed && on) answer.append(typed); /* beside what it is about */
    });
    if (typed) typed.hidden = kind !== 'image' && kind !== 'audio';
  }

  var pow = { worker: null, ready: null, ticket: null };

  function powStop() {
    if (pow.worker) pow.worker.terminate();
    pow.worker = null;
  }

  /* Resolves true when the field `pow` is filled for the form's ticket. */
  function powStart() {
    var field = $('pow'), status = $('pow-status'), ticket = $('ticket').value;
    if (pow.ticket === ticket) return pow.ready;
    powStop();
    field.value = '';
    status.textContent = status.dataset.busy;
    pow.ticket = ticket;
    pow.ready = new Promise(function (resolve) {
      var end = function (text, value) {
        powStop();
        status.textContent = text;
        field.value = value || '';
        if (!value) pow.ticket = null; /* the next one who asks tries again */
        resolve(Boolean(value));
      };
      pow.worker = new Worker(field.dataset.worker);
      pow.worker.onmessage = function (e) {
        if (e.data.found) end(status.dataset.done, e.data.found);
        else end(status.dataset.failed);
      };
      pow.worker.onerror = function () { end(status.dataset.failed); };
      pow.worker.postMessage({ ticket: ticket, bits: Number(field.dataset.pow) });
    });
    return pow.ready;
  }

  function gates() {
    var box = $('gates'), powRow = document.querySelector('[data-gate="pow"]');
    if (!box) return;
    if (powRow && window.Worker && window.crypto && crypto.subtle) {
      powRow.hidden = false;
      if (!document.querySelector('input[name="gate"]:checked') || box.dataset.first === 'pow') $('gate-pow').checked = true;
    }
    radios().forEach(function (r) {
      r.addEventListener('change', function () { showChosen(); if (chosen() === 'pow') powStart(); });
    });
    showChosen();
    if (chosen() === 'pow') powStart();
    if ($('refresh')) $('refresh').addEventListener('click', refresh);
  }

  /* A new challenge without losing what was typed. Without fetch the button sends the form. */
  function refresh(e) {
    if (!window.fetch) return;
    if (e) e.preventDefault();
    fetch($('signup').getAttribute('action') + 'challenge', { credentials: 'same-origin', cache: 'no-store' })
      .then(function (r) { if (!r.ok) throw new Error('no challenge'); return r.json(); })
      .then(function (c) {
        $('ticket').value = c.ticket;
        if ($('pow')) $('pow').dataset.pow = c.bits;
        if ($('captcha')) $('captcha').src = c.image;
        if ($('captcha-audio')) $('captcha-audio').src = c.audio;
        if ($('captcha-answer')) $('captcha-answer').value = '';
        if (e && $('captcha-answer')) $('captcha-answer').focus();
        if (chosen() === 'pow') powStart();
      })
      .catch(function () { if (e) $('signup').requestSubmit(e.target); });
  }

  /* ---- sending: once, and with the proof of work done ---- */
  function sending() {
    var form = $('signup'), button = $('submit'), sent = false, text = button.textContent;
    var busy = function (on) {
      sent = on;
      button.setAttribute('aria-disabled', String(on));
      button.textContent = on ? button.dataset.busy : text;
    };
    form.addEventListener('submit', function (e) {
      if (e.submitter && e.submitter.id === 'refresh') return;
      if (sent) { e.preventDefault(); return; }
      busy(true);
      if (chosen() !== 'pow' || !$('pow') || $('pow').value) return;
      e.preventDefault();
      powStart().then(function (done) {
        if (done) HTMLFormElement.prototype.submit.call(form); /* form.submit is the button of that id */
        else { busy(false); $('gates').scrollIntoView(); }
      });
    });
    window.addEventListener('pageshow', function (e) {
      if (!e.persisted) return;
      busy(false); /* back by the browser's cache: that ticket is used up */
      if ($('gates')) refresh(null); /* a pass is no challenge */
    });
  }

  theme();
  languages();
  if ($('signup')) {
    passwords();
    gates();
    sending();
  }
  if ($('alert')) $('alert').focus();
})();
