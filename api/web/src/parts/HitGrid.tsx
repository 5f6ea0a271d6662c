import { useState } from 'preact/hooks';

import { pictureOf, THUMBNAIL_PX } from '../api/pictures';
import type { Hit } from '../api/types';
import { change, go, parameter } from '../state/address';
import { findAgain, grouped, hidden, hits, searchError, searching } from '../state/finding';
import { formatShare } from '../state/format';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';
import { proof, show, stepHit } from '../state/proof';
import { ErrorNote } from './ErrorNote';
import { HitTimeline } from './HitTimeline';
import { addressOf, modalityOf, spanOf } from './place';

const weaker = parameter('weaker');

/** The results, best first, as pictures of their moments. */
export function HitGrid() {
  useKeys({
    j: () => stepHit(1),
    k: () => stepHit(-1),
    Enter: () => proof.value && go(addressOf(proof.value.place)),
  });
  if (searching.value === 'idle') return null;
  return (
    <section class="found" aria-labelledby="found-title">
      <h2 id="found-title">
        {t('found.title')}
        {searching.value === 'done' && <span class="quiet"> · {t('found.count', { count: hits.value.length })}</span>}
      </h2>
      {searchError.value && <ErrorNote error={searchError.value} again={findAgain} />}
      {searching.value === 'done' && !hits.value.length && <p>{t('found.none')}</p>}
      {hits.value.length > 1 && (
        <label class="quiet">
          <input
            type="checkbox"
            checked={grouped.value === '1'}
            onChange={() => change({ group: grouped.value ? '' : '1', p: '' }, true)}
          />{' '}
          {t('found.group')}
        </label>
      )}
      <div aria-busy={searching.value === 'running'}>
        {grouped.value ? <Groups /> : <Tiles first={0} end={hits.value.length} />}
      </div>
      {(hidden.value > 0 || weaker.value) && (
        <button type="button" class="quiet" onClick={() => change({ weaker: weaker.value ? '' : '1' }, true)}>
          {weaker.value ? t('found.stronger') : t('found.weaker', { count: hidden.value })}
        </button>
      )}
    </section>
  );
}

/** The results file by file, those of a video also on its time line. */
function Groups() {
  const firsts = hits.value.flatMap((hit, number) => (hit.asset === hits.value[number - 1]?.asset ? [] : [number]));
  return (
    <>
      {firsts.map((first, place) => {
        const hit = hits.value[first];
        const end = firsts[place + 1] ?? hits.value.length;
        if (!hit) return null;
        return (
          <section aria-label={hit.name} key={hit.asset}>
            <h3>
              {hit.name} <span class="quiet">· {t('found.count', { count: end - first })}</span>
            </h3>
            {hit.kind === 'video' && <HitTimeline id={hit.asset} />}
            <Tiles first={first} end={end} />
          </section>
        );
      })}
    </>
  );
}

function Tiles({ first, end }: { first: number; end: number }) {
  return (
    <ul class="grid">
      {hits.value.slice(first, end).map((hit, number) => (
        <Tile hit={hit} number={first + number} />
      ))}
    </ul>
  );
}

/** Chosen: as many pictures of a moment as can be told apart on a tile. */
const SCRUB_STEPS = 8;

function Tile({ hit, number }: { hit: Hit; number: number }) {
  const id = `h${number}`;
  const [seconds, setSeconds] = useState<number | null>(null);

  /** Show the part of the moment that the pointer is at. */
  function scrub(event: MouseEvent): void {
    if (hit.start_s === null || hit.end_s === null || !(event.currentTarget instanceof HTMLElement)) return;
    const step = Math.floor((event.offsetX / event.currentTarget.clientWidth) * SCRUB_STEPS) / SCRUB_STEPS;
    setSeconds(hit.start_s + Math.min(1, Math.max(0, step)) * (hit.end_s - hit.start_s));
  }

  return (
    <li>
      <button
        type="button"
        class="tile"
        aria-pressed={proof.value?.id === id}
        onClick={() => show(id)}
        onDblClick={() => go(addressOf(hit))}
      >
        <img
          src={pictureOf({ ...hit, start_s: seconds ?? hit.start_s }, THUMBNAIL_PX)}
          alt=""
          loading="lazy"
          decoding="async"
          width={160}
          height={90}
          onMouseMove={scrub}
          onMouseLeave={() => setSeconds(null)}
        />
        <span class="tile-name">{hit.name}</span>
        <span class="tile-place">
          {[spanOf(hit), t(modalityOf(hit)), formatShare(hit.score)].filter(Boolean).join(' · ')}
        </span>
        {hit.text && <span class="tile-text">{hit.text}</span>}
      </button>
    </li>
  );
}
