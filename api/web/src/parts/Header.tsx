import { chooseLanguage, language, t, type MessageKey } from '../state/messages';
import { session, signOut } from '../state/session';
import { theme, toggleTheme } from '../state/theme';
import { path } from '../state/address';
import { helpIsOpen } from '../state/keys';

const PAGES: [string, MessageKey][] = [
  ['/', 'nav.search'],
  ['/library', 'nav.library'],
  ['/summaries', 'nav.summaries'],
  ['/jobs', 'nav.jobs'],
  ['/settings', 'nav.settings'],
];

/** The line at the top: where one can go, language, theme, session. */
export function Header() {
  const isDark = theme.value === 'dark';
  return (
    <header class="header">
      <a class="skip" href="#content">
        {t('nav.skip')}
      </a>
      <a class="brand" href="/">
        {t('app.name')}
      </a>
      <nav aria-label={t('nav.main')}>
        {PAGES.map(([address, key]) => (
          <a href={address} aria-current={path.value === address ? 'page' : undefined}>
            {t(key)}
          </a>
        ))}
      </nav>
      <div class="header-tools">
        <button type="button" class="quiet" aria-label={t('nav.help')} onClick={() => (helpIsOpen.value = true)}>
          ?
        </button>
        <button
          type="button"
          class="quiet"
          lang={language.value === 'ko' ? 'en' : 'ko'}
          onClick={() => chooseLanguage(language.value === 'ko' ? 'en' : 'ko')}
        >
          {t('language.other')}
        </button>
        <button type="button" class="quiet" onClick={toggleTheme}>
          {isDark ? t('theme.light') : t('theme.dark')}
        </button>
        {session.value?.signed_in && (
          <button type="button" class="quiet" onClick={() => void signOut()}>
            {t('signin.out')}
          </button>
        )}
      </div>
    </header>
  );
}
