import { useEffect, useRef, useState } from 'preact/hooks';

import { request } from '../api/client';
import { pictureOf } from '../api/pictures';
import type { Memory, Slot } from '../api/types';
import { formatSpan } from '../state/format';
import { language, t } from '../state/messages';
import { theme } from '../state/theme';

const BAND_PX = 44;
const GAP_PX = 6;
const SLOT_PX = 96;
/** Chosen: pictures of a slot are at most as wide as this, the size that is asked for. */
const LANES = ['global', 'novelty'] as const;

interface Props {
  asset: string;
  /** The span that is looked at; slots in it are underlined. */
  startS: number;
  endS: number;
  onChoose?: (seconds: number) => void;
}

/** The memory of a video: a band for each lane, slots as wide as their spans, with their pictures and weights. */
export function MemoryStrip({ asset, startS, endS, onChoose }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [memory, setMemory] = useState<Memory | null>(null);
  const [lifted, setLifted] = useState<Slot | null>(null);
  const pictures = useRef(new Map<number, HTMLImageElement>());
  const [width, setWidth] = useState(0);

  useEffect(() => {
    const asked = new AbortController();
    setMemory(null);
    pictures.current.clear();
    request<Memory | null>('GET', `/v1/assets/${asset}/memory`, undefined, asked.signal)
      .then(setMemory)
      .catch(() => undefined); // Without its memory a video is shown as it is.
    return () => asked.abort();
  }, [asset]);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [memory]);

  useEffect(() => {
    if (memory && canvas.current && width) draw(canvas.current, memory, { asset, startS, endS }, pictures.current, lifted);
  }, [memory, width, lifted, startS, endS, theme.value, language.value]);

  if (!memory) return null;
  const lanes = LANES.filter((lane) => memory[lane]?.length);
  if (!lanes.length) return null;

  function slotAt(event: MouseEvent): Slot | null {
    const element = canvas.current;
    if (!element || !memory) return null;
    const lane = lanes[Math.floor(event.offsetY / (BAND_PX + GAP_PX))];
    const slots = lane ? (memory[lane] ?? []) : [];
    const seconds = (event.offsetX / element.clientWidth) * lengthOf(memory);
    return slots.find((slot) => slot.start_s <= seconds && seconds < slot.end_s) ?? null;
  }

  return (
    <div class="memory">
      <h3>{t('memory.title')}</h3>
      <canvas
        ref={canvas}
        role="img"
        aria-label={lanes.map((lane) => t(`memory.${lane}`)).join(', ')}
        style={{ height: `${lanes.length * (BAND_PX + GAP_PX)}px` }}
        onMouseMove={(event) => setLifted(slotAt(event))}
        onMouseLeave={() => setLifted(null)}
        onClick={(event) => {
          const slot = slotAt(event);
          if (slot) onChoose?.(slot.medoid_s);
        }}
      />
      <p class="quiet memory-note">
        {lifted
          ? t('memory.slot', { span: formatSpan(lifted.start_s, lifted.end_s), count: lifted.frames })
          : lanes.map((lane) => t(`memory.${lane}`)).join(' · ')}
      </p>
    </div>
  );
}

function lengthOf(memory: Memory): number {
  return Math.max(1, ...Object.values(memory).flatMap((slots) => slots.map((slot) => slot.end_s)));
}

/** Draw the bands; pictures that are still to come draw themselves when they are there. */
function draw(
  canvas: HTMLCanvasElement,
  memory: Memory,
  shown: { asset: string; startS: number; endS: number },
  pictures: Map<number, HTMLImageElement>,
  lifted: Slot | null,
): void {
  const scale = devicePixelRatio;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = canvas.clientHeight * scale;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  pen.scale(scale, scale);
  const colours = getComputedStyle(canvas);
  const [line, accent] = [colours.getPropertyValue('--line-strong'), colours.getPropertyValue('--accent')];
  const length = lengthOf(memory);
  LANES.filter((lane) => memory[lane]?.length).forEach((lane, row) => {
    const top = row * (BAND_PX + GAP_PX);
    const slots = memory[lane] ?? [];
    const heaviest = Math.max(...slots.map((slot) => slot.frames));
    for (const slot of slots) {
      const left = (slot.start_s / length) * canvas.clientWidth;
      const right = (slot.end_s / length) * canvas.clientWidth;
      drawPicture(pen, pictures, shown.asset, slot, left, top, right - left);
      pen.fillStyle = line;
      pen.fillRect(left, top + BAND_PX - 3, (right - left) * (slot.frames / heaviest), 3);
      if (slot.end_s > shown.startS && slot.start_s < Math.max(shown.endS, shown.startS + 0.001)) {
        pen.fillStyle = accent;
        pen.fillRect(left, top + BAND_PX, right - left, 3);
      }
      pen.strokeStyle = slot === lifted ? accent : line;
      pen.lineWidth = slot === lifted ? 2 : 0.5;
      pen.strokeRect(left, top, right - left, BAND_PX);
    }
  });
}

function drawPicture(
  pen: CanvasRenderingContext2D,
  pictures: Map<number, HTMLImageElement>,
  asset: string,
  slot: Slot,
  left: number,
  top: number,
  width: number,
): void {
  const known = pictures.get(slot.medoid_s) ?? new Image();
  const place = (): void => {
    const height = BAND_PX - 3;
    const part = Math.min(known.naturalWidth, (known.naturalHeight * width) / height);
    pen.drawImage(known, (known.naturalWidth - part) / 2, 0, part, known.naturalHeight, left, top, width, height);
  };
  if (known.complete && known.naturalWidth) {
    place();
    return;
  }
  if (!pictures.has(slot.medoid_s)) {
    pictures.set(slot.medoid_s, known);
    known.src = pictureOf({ asset, kind: 'video', start_s: slot.medoid_s, page: null }, SLOT_PX);
  }
  known.addEventListener('load', place, { once: true });
}
