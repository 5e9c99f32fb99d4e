// Before the first paint: theme, language, and so no flash of the wrong one.
(() => {
  const root = document.documentElement;
  root.dataset.state = 'loading';
  let theme, lang;
  try { theme = localStorage.getItem('vitrine.theme'); lang = localStorage.getItem('vitrine.lang'); } catch { /* storage is off: defaults do */ }
  const address = new URLSearchParams(location.search);
  theme = { dark: 'dark', light: 'light' }[address.get('theme')] || theme;
  lang = { en: 'en', zh: 'zh' }[address.get('lang')] || lang;
  root.dataset.theme = theme || (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  root.lang = lang || (/^zh/i.test(navigator.language) ? 'zh' : 'en');
})();
