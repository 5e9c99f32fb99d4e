// Before the first paint: theme, language, and so no flash of the wrong one.
(() => {
  const root = document.documentElement;
  let theme, lang;
  try { theme = localStorage.getItem('vitrine.theme'); lang = localStorage.getItem('vitrine.lang'); } catch { /* storage is off: defaults do */ }
  root.dataset.theme = theme || (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  root.lang = lang || (/^zh/i.test(navigator.language) ? 'zh' : 'en');
})();
