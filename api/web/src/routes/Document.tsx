import { useEffect, useState } from 'preact/hooks';

import { request } from '../api/client';
import { LARGE_PX, pictureOf } from '../api/pictures';
import type { Part, Text } from '../api/types';
import { BoxedPicture } from '../parts/BoxedPicture';
import { ErrorNote } from '../parts/ErrorNote';
import { addressOf } from '../parts/place';
import { change, parameter } from '../state/address';
import { useAsset } from '../state/asset';
import { evidence } from '../state/finding';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';

const PAGE_PX = 160;
/** Chosen: steps that are seen, up to a size at which a line of small print fills a telephone. */
const ZOOMS = [1, 1.5, 2, 3, 4];
/** Form: the largest picture that the server gives. */
const MOST_PX = 4096;
const page = parameter('page');
const box = parameter('box');
const zoom = parameter('zoom');

/** A document, page by page: `/d/ID?page=n`; or a photo: `/p/ID`. */
export function Document({ id }: { id: string }) {
  const { asset, error } = useAsset(id);
  const pages = asset?.pages ?? 1;
  const number = Math.min(pages, Math.max(1, Number(page.value) || 1));
  const turn = (by: number) => () => change({ page: String(Math.min(pages, Math.max(1, number + by))), box: '' }, true);
  const scale = ZOOMS.find((each) => each === Number(zoom.value)) ?? 1;
  const scaleTo = (by: number) => () => {
    const next = ZOOMS[ZOOMS.indexOf(scale) + by];
    if (next) change({ zoom: next === 1 ? '' : String(next) }, true);
  };
  useKeys(
    { j: turn(1), k: turn(-1), ArrowRight: turn(1), ArrowLeft: turn(-1), '+': scaleTo(1), '-': scaleTo(-1) },
    [pages, number, scale],
  );
  const [texts, setTexts] = useState<Text[]>([]);
  const [showsBoxes, setShowsBoxes] = useState(false);
  useEffect(() => {
    const asked = new AbortController();
    setTexts([]);
    const only = asset?.kind === 'document' ? `&page=${number}` : '';
    if (asset) {
      request<Part<Text>>('GET', `/v1/assets/${id}/texts?limit=500${only}`, undefined, asked.signal)
        .then((part) => setTexts(part.items))
        .catch(() => undefined); // The page is shown without its text.
    }
    return () => asked.abort();
  }, [asset, number]);
  useEffect(showBox, [scale, box.value]);
  if (error) return <ErrorNote error={error} />;
  if (!asset) return null;
  const cited = box.value.split(',').map(Number);
  const boxes = [
    ...(cited.length === 4 && cited.every(Number.isFinite) ? [cited] : []),
    ...(showsBoxes ? texts.flatMap((text) => text.lines.map((line) => line.box)) : []),
  ];
  const place = { ...asset, start_s: null, end_s: null, page: asset.kind === 'document' ? number : null, box: null };
  return (
    <div class="document">
      <h1>{asset.name}</h1>
      {asset.kind === 'document' && (
        <ol class="pages" aria-label={t('library.pages', { count: pages })}>
          {Array.from({ length: pages }, (_, index) => index + 1).map((each) => (
            <li>
              <a href={`/d/${id}?page=${each}`} aria-current={each === number ? 'page' : undefined}>
                <img
                  src={pictureOf({ asset: id, kind: 'document', start_s: null, page: each }, PAGE_PX)}
                  alt={t('proof.page', { page: each })}
                  loading="lazy"
                  decoding="async"
                  width={80}
                  height={110}
                />
              </a>
            </li>
          ))}
        </ol>
      )}
      <p class="actions">
        <span>
          <button type="button" class="quiet" aria-label={t('document.smaller')} disabled={scale === 1} onClick={scaleTo(-1)}>
            −
          </button>
          <span aria-live="polite">{Math.round(scale * 100)} %</span>
          <button
            type="button"
            class="quiet"
            aria-label={t('document.larger')}
            disabled={scale === ZOOMS.at(-1)}
            onClick={scaleTo(1)}
          >
            +
          </button>
        </span>
        <OtherEvidence id={id} page={asset.kind === 'document' ? number : null} />
        <label>
          <input type="checkbox" checked={showsBoxes} onChange={() => setShowsBoxes(!showsBoxes)} /> {t('document.boxes')}
        </label>
      </p>
      <div class={scale > 1 ? 'zoomed' : ''} tabIndex={scale > 1 ? 0 : -1} role="group" aria-label={asset.name}>
        <div style={scale > 1 ? { width: `${scale * 100}%` } : {}}>
          <BoxedPicture place={place} boxes={boxes} texts={texts} px={scale > 1 ? MOST_PX : LARGE_PX} onShown={showBox} />
        </div>
      </div>
    </div>
  );
}

/** Bring the box of what was found into a page that is larger than its frame. */
function showBox(): void {
  document.querySelector('.zoomed .box')?.scrollIntoView({ block: 'center', inline: 'center' });
}

/** Links to what else of this file proves the last answer. */
function OtherEvidence({ id, page: present }: { id: string; page: number | null }) {
  const own = evidence.value.filter((each) => each.asset === id && each.page !== null);
  const pages = [...new Set(own.map((each) => each.page ?? 1))].sort((a, b) => a - b);
  const before = pages.filter((each) => each < (present ?? 1)).at(-1);
  const after = pages.find((each) => each > (present ?? 1));
  const link = (to: number | undefined, text: string) => {
    const place = own.find((each) => each.page === to);
    return place && <a href={addressOf(place)}>{text}</a>;
  };
  if (present === null) return null;
  return (
    <>
      {link(before, t('document.before'))} {link(after, t('document.after'))}
    </>
  );
}
