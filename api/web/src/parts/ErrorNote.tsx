import type { ApiError } from '../api/client';
import { t } from '../state/messages';

/** What went wrong, and a way to try again. */
export function ErrorNote({ error, again }: { error: ApiError; again?: () => void }) {
  return (
    <div class="error" role="alert">
      <p>{error.status === 0 ? t('error.offline') : error.message}</p>
      {again && (
        <button type="button" onClick={again}>
          {t('error.again')}
        </button>
      )}
    </div>
  );
}
