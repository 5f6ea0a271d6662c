import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, send, toApiError } from '../api/client';
import type { Job, Readiness } from '../api/types';
import { ErrorNote } from '../parts/ErrorNote';
import { Keys } from '../parts/Keys';
import { go } from '../state/address';
import { formatBytes } from '../state/format';
import { t } from '../state/messages';
import { mayManage } from '../state/session';

/** The state of the server's parts. */
export function Settings() {
  const [readiness, setReadiness] = useState<Readiness | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    send('GET', '/readyz')
      .then((response) => response.json() as Promise<Readiness>)
      .then(setReadiness)
      .catch((problem: unknown) => setError(toApiError(problem)));
  }, []);
  return (
    <>
      <h1>{t('settings.title')}</h1>
      <h2>{t('settings.health')}</h2>
      {error && <ErrorNote error={error} />}
      {readiness && (
        <>
          <dl class="health">
            {Object.entries(readiness.parts).map(([part, state]) => (
              <div>
                <dt>{part}</dt>
                <dd>{state === 'ready' ? `✓ ${t('settings.ready')}` : state}</dd>
              </div>
            ))}
            {readiness.disk_free_bytes !== null && (
              <div>
                <dt>{t('settings.disk')}</dt>
                <dd>{formatBytes(readiness.disk_free_bytes)}</dd>
              </div>
            )}
          </dl>
          {readiness.notes.map((note) => (
            <p class="warning">{note}</p>
          ))}
        </>
      )}
      {mayManage() && <Reindex />}
      {mayManage() && <Keys />}
    </>
  );
}

/** Starts a job that builds the index anew, from what was indexed; the old one serves until then. */
function Reindex() {
  const [error, setError] = useState<ApiError | null>(null);
  return (
    <section>
      <h2>{t('settings.index')}</h2>
      <p class="quiet">{t('settings.reindexWhat')}</p>
      <button
        type="button"
        onClick={() =>
          void request<Job>('POST', '/v1/reindex').then(
            () => go('/jobs'),
            (problem: unknown) => setError(toApiError(problem)),
          )
        }
      >
        {t('jobs.kind.reindex')}
      </button>
      {error && <ErrorNote error={error} />}
    </section>
  );
}
