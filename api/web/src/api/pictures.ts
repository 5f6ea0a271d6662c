/** Addresses of pictures and media of an asset. */
import type { Place } from './types';

/** Sizes of pictures that are asked for, so that few are made: a thumbnail, and one to look at. */
export const THUMBNAIL_PX = 320;
export const LARGE_PX = 1600;

/** Return the address of the picture of a place. */
export function pictureOf(place: Pick<Place, 'asset' | 'kind' | 'start_s' | 'page'>, px: number): string {
  const size = `max_px=${px}&format=webp`;
  return `/v1/assets/${place.asset}/${pathOf(place)}?${size}`;
}

function pathOf(place: Pick<Place, 'kind' | 'start_s' | 'page'>): string {
  if (place.kind === 'video') return `frames/${place.start_s ?? 0}`;
  return place.kind === 'document' ? `pages/${place.page ?? 1}` : 'picture';
}

export function mediaOf(asset: string): string {
  return `/v1/assets/${asset}/media`;
}

export function clipOf(asset: string, startS: number, endS: number): string {
  return `/v1/assets/${asset}/clip?start_s=${startS}&end_s=${endS}`;
}
