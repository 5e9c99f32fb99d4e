// Before the first paint: theme, language, and so no flash of the wrong one.
(() => {
  const root = document.documentElement;
  root.dataset.state = 'loading';
  let theme, lang;
  try {
    theme = localStorage.getItem('vitrine.theme');
    lang = localStorage.getItem('vitrine.lang');
  } catch {
    /* storage is off: defaults do */
  }
  const address = new URLSearchParams(location.search);
  theme = { dark: 'dark', light: 'light' }[address.get('theme')] || theme;
  lang = { en: 'en', zh: 'zh' }[address.get('lang')] || lang;
  root.dataset.theme = theme || (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  if ((address.get('embed') ?? '0') !== '0') root.dataset.embed = '';
  capPixels(2);
  root.lang = lang || (/^zh/i.test(navigator.language) ? 'zh' : 'en');

  // capPixels bounds the device pixels of a CSS pixel that the stage is told of:
  // ebiten makes its canvas by that number, and has no bound of its own. On a
  // screen of three, more than half of the pixels would be drawn for nobody.
  function capPixels(most) {
    const own =
      Object.getOwnPropertyDescriptor(window, 'devicePixelRatio') ??
      Object.getOwnPropertyDescriptor(Window.prototype, 'devicePixelRatio');
    if (!own?.get) return;
    Object.defineProperty(window, 'devicePixelRatio', {
      configurable: true,
      get: () => Math.min(most, own.get.call(window)),
    });
  }
})();
