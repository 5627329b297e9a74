/* Before the first paint: the theme chosen here or in Mailcow (the same key). */
'use strict';
(function () {
  try {
    var theme = localStorage.getItem('mailcow_theme');
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  } catch (e) { /* no storage: the system's wish */ }
})();
