import { useEffect } from 'preact/hooks';

import { AnswerText } from '../parts/AnswerText';
import { FirstSteps } from '../parts/FirstSteps';
import { HitGrid } from '../parts/HitGrid';
import { Proof } from '../parts/Proof';
import { followAddress, picture, query } from '../state/finding';
import { t } from '../state/messages';
import { parseQuery } from '../state/query';

/** Search and answer: left what is said, right what proves it. */
export function Find() {
  useEffect(followAddress, []);
  useEffect(() => {
    document.title = query.value ? `${query.value} – ${t('app.name')}` : t('app.name');
    return () => {
      document.title = t('app.name');
    };
  }, [query.value]);
  return (
    <>
      <h1 class="unseen">{query.value || t('nav.search')}</h1>
      {parseQuery(query.value).words || picture.value ? (
        <div class="two-parts">
          <div>
            <AnswerText />
            <HitGrid />
          </div>
          <Proof />
        </div>
      ) : (
        <FirstSteps />
      )}
    </>
  );
}
