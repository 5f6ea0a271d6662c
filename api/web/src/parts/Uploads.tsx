import { useEffect, useRef, useState } from 'preact/hooks';

import type { Collection, Job } from '../api/types';
import { follow, shareOf } from '../state/jobs';
import { t, type MessageKey } from '../state/messages';
import { filesOf, importSource, sendFiles, sendings, type Sending } from '../state/uploads';

/** Form: the collection that the command line uses too where none is named. */
const COLLECTION = 'default';

interface Props {
  collections: Collection[];
  onIndexed: () => void;
}

/** Where files are dropped or chosen, and how far each has come. */
export function Uploads({ collections, onIndexed }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const from = useRef<HTMLInputElement>(null);
  const into = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const [unread, setUnread] = useState('');
  const collectionOf = (): string => into.current?.value.trim() || COLLECTION;
  const send = (files: File[]): void => void sendFiles(files, collectionOf());
  return (
    <section
      class={isOver ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        setUnread('');
        void filesOf(event.dataTransfer).then(send, (problem: unknown) => setUnread(String(problem)));
      }}
    >
      <label>
        {t('library.drop')}
        <input
          ref={field}
          type="file"
          multiple
          onChange={() => {
            send([...(field.current?.files ?? [])]);
            if (field.current) field.current.value = '';
          }}
        />
      </label>
      <label class="choice">
        {t('library.into')} <input ref={into} list="collections" maxLength={200} placeholder={COLLECTION} />
        <datalist id="collections">
          {collections.map((each) => (
            <option value={each.name} />
          ))}
        </datalist>
      </label>
      <form
        class="choice"
        onSubmit={(event) => {
          event.preventDefault();
          const source = from.current?.value.trim() ?? '';
          if (!source) return;
          void importSource(source, collectionOf());
          if (from.current) from.current.value = '';
        }}
      >
        <label class="choice">
          {t('library.from')} <input ref={from} maxLength={4000} placeholder="/srv/films" />
        </label>
        <button type="submit" class="quiet">
          {t('library.import')}
        </button>
      </form>
      {unread && (
        <p class="error" role="alert">
          {unread}
        </p>
      )}
      <ul aria-live="polite">
        {sendings.value.map((sending) => (
          <SendingLine sending={sending} onIndexed={onIndexed} />
        ))}
      </ul>
    </section>
  );
}

function SendingLine({ sending, onIndexed }: { sending: Sending; onIndexed: () => void }) {
  const [job, setJob] = useState<Job | null>(null);
  useEffect(() => {
    if (!sending.job) return undefined;
    const followed = new AbortController();
    void follow(sending.job, followed.signal, setJob).then(onIndexed, () => undefined);
    return () => followed.abort();
  }, [sending.job]);
  const share = job ? shareOf(job) : sending.share;
  return (
    <li>
      <span>{job ? `${sending.name}: ${t(`jobs.state.${job.state}` as MessageKey)}` : nameOf(sending)}</span>
      {!sending.error && share < 1 && <progress value={share} max={1} aria-label={sending.name} />}
      {(sending.error || job?.error) && <span class="error">{sending.error || job?.error}</span>}
    </li>
  );
}

function nameOf(sending: Sending): string {
  if (sending.error) return sending.name;
  return t('library.uploading', { name: sending.name, share: Math.floor(sending.share * 100) });
}
