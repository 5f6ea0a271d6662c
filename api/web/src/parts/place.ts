/** How a place is named: its file, and the time or page in it. */
import type { Place } from '../api/types';
import { formatSpan } from '../state/format';
import { t } from '../state/messages';

export function spanOf(place: Pick<Place, 'start_s' | 'end_s' | 'page' | 'kind'>): string {
  if (place.kind === 'video' && place.start_s !== null) return formatSpan(place.start_s, place.end_s);
  return place.page === null ? '' : t('proof.page', { page: place.page });
}

export function nameOf(place: Pick<Place, 'name' | 'start_s' | 'end_s' | 'page' | 'kind'>): string {
  const span = spanOf(place);
  return span ? `${place.name}, ${span}` : place.name;
}

/** Return the address of the page that shows a place by itself. */
export function addressOf(
  place: Pick<Place, 'asset' | 'kind' | 'start_s' | 'end_s' | 'page'> & { box?: number[] | null },
): string {
  if (place.kind === 'video') {
    const span = place.start_s === null ? '' : `?t=${place.start_s},${place.end_s ?? place.start_s}`;
    return `/v/${place.asset}${span}`;
  }
  const box = place.box ? `box=${place.box.map((side) => side.toFixed(4)).join(',')}` : '';
  if (place.kind === 'document') return `/d/${place.asset}?page=${place.page ?? 1}${box && `&${box}`}`;
  return `/p/${place.asset}${box && `?${box}`}`;
}

/** Return the text that says how something was found: seen, written or spoken. */
export function modalityOf(item: { modality: string }): 'place.seen' | 'place.written' | 'place.spoken' {
  if (item.modality === 'spoken') return 'place.spoken';
  return item.modality === 'written' ? 'place.written' : 'place.seen';
}
