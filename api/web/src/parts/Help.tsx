import { useEffect, useRef } from 'preact/hooks';

import { helpIsOpen } from '../state/keys';
import { t, type MessageKey } from '../state/messages';

const KEYS: [string, MessageKey][] = [
  ['/', 'help.search'],
  ['j k', 'help.results'],
  ['⏎', 'help.open'],
  ['[ ]', 'help.citations'],
  ['␣', 'help.play'],
  [', .', 'help.frames'],
  ['f', 'help.full'],
  ['+ -', 'help.zoom'],
  ['c', 'help.copy'],
  ['Esc', 'help.back'],
];
const SYNTAX: [string, MessageKey][] = [
  ['kind:video', 'help.kind'],
  ['collection:talks', 'help.collection'],
  ['after:2026-01-01 before:2026-07-01', 'help.dates'],
  ['in:"harbour tour"', 'help.in'],
];

/** Keys and syntax, over the page until it is closed. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helpIsOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [helpIsOpen.value]);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (helpIsOpen.value = false)}>
      <h2 id="help-title">{t('help.title')}</h2>
      <Table heading={t('help.keys')} rows={KEYS} />
      <Table heading={t('help.syntax')} rows={SYNTAX} />
      <button type="button" onClick={() => (helpIsOpen.value = false)}>
        {t('help.close')}
      </button>
    </dialog>
  );
}

function Table({ heading, rows }: { heading: string; rows: [string, MessageKey][] }) {
  return (
    <>
      <h3>{heading}</h3>
      <dl>
        {rows.map(([shown, key]) => (
          <div>
            <dt>
              <kbd>{shown}</kbd>
            </dt>
            <dd>{t(key)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
