/** Times, sizes and dates as people read them. */
import { language } from './messages';

/** Return seconds of a recording as 4:12 or 1:02:05. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function formatSpan(startS: number, endS: number | null): string {
  const [start, end] = [formatTime(startS), formatTime(endS ?? startS)];
  return start === end ? start : `${start} – ${end}`;
}

export function formatDate(unixTime: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }).format(unixTime * 1000);
}

export function formatShare(share: number): string {
  return new Intl.NumberFormat(language.value, { style: 'percent' }).format(share);
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

export function formatBytes(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const options = { style: 'unit', unit: UNITS[step] ?? 'byte', maximumFractionDigits: step ? 1 : 0 } as const;
  return new Intl.NumberFormat(language.value, options).format(bytes / 1000 ** step);
}
