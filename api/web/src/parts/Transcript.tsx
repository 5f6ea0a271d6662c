import { useEffect, useRef, useState } from 'preact/hooks';

import { request } from '../api/client';
import type { Part, Text } from '../api/types';
import { formatTime } from '../state/format';
import { t } from '../state/messages';
import { modalityOf } from './place';

interface Props {
  asset: string;
  nowS: number;
  onChoose: (seconds: number) => void;
}

const PART = 500;

/** What is written and spoken in a video, searched within and following the playing; a line plays from its time. */
export function Transcript({ asset, nowS, onChoose }: Props) {
  const [lines, setLines] = useState<Text[] | null>(null);
  const [sought, setSought] = useState('');
  const current = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const asked = new AbortController();
    loadAll(asset, asked.signal)
      .then(setLines)
      .catch(() => undefined); // The video plays without it.
    return () => asked.abort();
  }, [asset]);
  const shown = (lines ?? []).filter((line) => line.text.toLowerCase().includes(sought.toLowerCase()));
  const now = shown.findLast((line) => (line.start_s ?? 0) <= nowS);
  useEffect(() => current.current?.scrollIntoView({ block: 'nearest' }), [now]);
  if (!lines) return null;
  return (
    <section class="transcript" aria-labelledby="transcript-title">
      <h2 id="transcript-title">{t('transcript.title')}</h2>
      {lines.length ? (
        <input
          type="search"
          aria-label={t('transcript.search')}
          placeholder={t('transcript.search')}
          onInput={(event) => setSought(event.currentTarget.value)}
        />
      ) : (
        <p class="quiet">{t('transcript.none')}</p>
      )}
      <ol>
        {shown.map((line) => (
          <li>
            <button
              type="button"
              class="line"
              ref={line === now ? current : null}
              aria-current={line === now ? 'true' : undefined}
              onClick={() => onChoose(line.start_s ?? 0)}
            >
              <span class="line-time">{formatTime(line.start_s ?? 0)}</span> {line.text}{' '}
              <span class="quiet">({t(modalityOf(line))})</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

async function loadAll(asset: string, signal: AbortSignal): Promise<Text[]> {
  const lines: Text[] = [];
  let after: string | null = '';
  while (after !== null) {
    const more: string = after ? `&after=${after}` : '';
    const part: Part<Text> = await request('GET', `/v1/assets/${asset}/texts?limit=${PART}${more}`, undefined, signal);
    lines.push(...part.items);
    after = part.after;
  }
  return lines.sort((a, b) => (a.start_s ?? 0) - (b.start_s ?? 0));
}
