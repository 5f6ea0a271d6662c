import { useState } from 'preact/hooks';

import { ApiError } from '../api/client';
import { t } from '../state/messages';
import { session, signIn } from '../state/session';

/** Signing in with a key, in place of what needs one; the address stays. */
export function SignIn() {
  const [failure, setFailure] = useState('');
  const hadSession = session.value?.signed_in ?? false;

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    try {
      await signIn(String(new FormData(form).get('key')));
    } catch (error) {
      const isWrong = error instanceof ApiError && error.status === 401;
      setFailure(isWrong ? t('signin.wrong') : t('error.offline'));
    }
  }

  return (
    <form class="sign-in" onSubmit={(event) => void submit(event)}>
      <h1>{t('signin.title')}</h1>
      <p>{hadSession ? t('signin.ended') : t('signin.why')}</p>
      <label>
        {t('signin.key')}
        <input name="key" type="password" autocomplete="current-password" required maxLength={200} />
      </label>
      {failure && (
        <p class="error" role="alert">
          {failure}
        </p>
      )}
      <button type="submit">{t('signin.button')}</button>
    </form>
  );
}
