import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, toApiError } from '../api/client';
import type { Key, KeyBody, NewKey } from '../api/types';
import { formatDate } from '../state/format';
import { t, type MessageKey } from '../state/messages';
import { session, signIn } from '../state/session';
import { ErrorNote } from './ErrorNote';

const SCOPES = ['read', 'write', 'admin'] as const;

/** API keys: made, shown this once, and revoked. */
export function Keys() {
  const [keys, setKeys] = useState<Key[]>([]);
  const [made, setMade] = useState<NewKey | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  async function attempt(task: () => Promise<void>): Promise<void> {
    try {
      setError(null);
      await task();
      setKeys(await request<Key[]>('GET', '/v1/keys'));
    } catch (problem) {
      setError(toApiError(problem));
    }
  }
  useEffect(() => void attempt(async () => undefined), []);

  function create(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    const collection = String(fields.get('collection')).trim();
    const body: KeyBody = {
      name: String(fields.get('name')),
      scopes: SCOPES.filter((scope) => fields.has(scope)),
      ...(collection ? { collections: [collection] } : {}),
    };
    const isOpen = !session.value?.signed_in;
    if (isOpen && !body.scopes.includes('admin')) {
      setError(new ApiError(400, t('keys.first')));
      return;
    }
    void attempt(async () => {
      const key = await request<NewKey>('POST', '/v1/keys', body);
      setMade(key);
      form.reset();
      if (isOpen) await signIn(key.secret); // The first key closes the server to everyone without one.
    });
  }

  return (
    <section aria-labelledby="keys-title">
      <h2 id="keys-title">{t('keys.title')}</h2>
      {error && <ErrorNote error={error} />}
      {made && (
        <p role="status" class="made-key">
          {t('keys.made', { name: made.name })} <code>{made.secret}</code>
        </p>
      )}
      <ul class="jobs">
        {keys.map((key) => (
          <li key={key.id}>
            <span class="job-what">{key.name}</span>
            <span>{key.scopes.map((scope) => t(`keys.scope.${scope}` as MessageKey)).join(', ')}</span>
            <span>{key.collections === null ? t('keys.all') : key.collections.join(', ')}</span>
            <span class="quiet">{formatDate(key.created_at)}</span>
            {key.revoked_at === null ? (
              <button
                type="button"
                class="quiet"
                aria-label={`${t('keys.revoke')}: ${key.name}`}
                onClick={() => void attempt(() => request('DELETE', `/v1/keys/${key.id}`))}
              >
                {t('keys.revoke')}
              </button>
            ) : (
              <span class="warning">{t('keys.revoked')}</span>
            )}
          </li>
        ))}
      </ul>
      <form class="choice" onSubmit={create}>
        <label>
          {t('keys.name')} <input name="name" required maxLength={200} />
        </label>
        <label>
          {t('keys.collection')} <input name="collection" maxLength={200} placeholder={t('keys.all')} />
        </label>
        {SCOPES.map((scope) => (
          <label>
            <input type="checkbox" name={scope} checked={scope === 'read'} /> {t(`keys.scope.${scope}`)}
          </label>
        ))}
        <button type="submit">{t('keys.create')}</button>
      </form>
    </section>
  );
}
