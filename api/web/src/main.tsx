import { render } from 'preact';

import './styles/tokens.css';
import './styles/base.css';
import './styles/find.css';
import './styles/proof.css';
import './styles/pages.css';
import { Header } from './parts/Header';
import { Help } from './parts/Help';
import { SearchBar } from './parts/SearchBar';
import { Document } from './routes/Document';
import { Find } from './routes/Find';
import { Jobs } from './routes/Jobs';
import { Library } from './routes/Library';
import { Settings } from './routes/Settings';
import { SignIn } from './routes/SignIn';
import { Summaries } from './routes/Summaries';
import { Watch } from './routes/Watch';
import { path } from './state/address';
import { language, t } from './state/messages';
import { loadSession, needsSignIn } from './state/session';

function Content() {
  const [, route = '', id = ''] = path.value.split('/');
  if (route === '') return <Find />;
  if (route === 'v') return <Watch key={id} id={id} />;
  if (route === 'd' || route === 'p') return <Document key={id} id={id} />;
  if (route === 'library') return <Library />;
  if (route === 'summaries') return <Summaries />;
  if (route === 'jobs') return <Jobs />;
  if (route === 'settings') return <Settings />;
  return <p>{t('error.notfound')}</p>;
}

function App() {
  document.documentElement.lang = language.value;
  return (
    <>
      <Header />
      {!needsSignIn.value && <SearchBar />}
      <main id="content" tabIndex={-1}>
        {needsSignIn.value ? <SignIn /> : <Content />}
      </main>
      <Help />
    </>
  );
}

const root = document.getElementById('app');
if (root) {
  void loadSession()
    .catch(() => undefined) // Each part says by itself that the server cannot be reached.
    .then(() => render(<App />, root));
}
