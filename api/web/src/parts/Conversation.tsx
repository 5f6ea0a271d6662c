import { useRef } from 'preact/hooks';

import { query } from '../state/finding';
import { askOn, earlierTurns } from '../state/conversation';
import { t } from '../state/messages';

/** What was asked before, with its answers where they are known. */
export function EarlierTurns() {
  const earlier = earlierTurns();
  if (!earlier.length) return null;
  return (
    <ol class="turns" aria-label={t('conversation.earlier')}>
      {earlier.map((turn) => (
        <li>
          <a href={turn.address}>{turn.question}</a>
          {turn.answer && <p class="quiet">{turn.answer}</p>}
        </li>
      ))}
    </ol>
  );
}

/** The field for a question that may point back to those before. */
export function FollowUp() {
  const field = useRef<HTMLInputElement>(null);
  return (
    <form
      class="follow-up"
      onSubmit={(event) => {
        event.preventDefault();
        const words = field.current?.value.trim() ?? '';
        if (!words) return;
        askOn(query.value, words);
        if (field.current) field.current.value = '';
      }}
    >
      <input
        ref={field}
        type="text"
        aria-label={t('conversation.label')}
        placeholder={t('conversation.placeholder')}
        autocomplete="off"
        maxLength={2000}
      />
      <button type="submit" class="quiet">
        {t('bar.ask')}
      </button>
    </form>
  );
}
