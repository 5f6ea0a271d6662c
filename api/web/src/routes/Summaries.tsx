import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, toApiError } from '../api/client';
import { pictureOf, THUMBNAIL_PX } from '../api/pictures';
import type { Asset, Job, Part, Summary } from '../api/types';
import { ErrorNote } from '../parts/ErrorNote';
import { Player } from '../parts/Player';
import { change, parameter } from '../state/address';
import { formatSpan } from '../state/format';
import { follow, shareOf } from '../state/jobs';
import { t } from '../state/messages';
import { mayWrite } from '../state/session';

const chosen = parameter('v');
const time = parameter('t');

/** Summaries of videos: left the chapters, right the player. `/summaries?v=ID&t=seconds` */
export function Summaries() {
  const [videos, setVideos] = useState<Asset[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    request<Part<Asset>>('GET', '/v1/assets?limit=500').then(
      (part) => setVideos(part.items.filter((asset) => asset.kind === 'video')),
      (problem: unknown) => setError(toApiError(problem)),
    );
  }, []);
  const video = videos.find((asset) => asset.asset === chosen.value);
  return (
    <>
      <h1>{t('summaries.title')}</h1>
      {error && <ErrorNote error={error} />}
      <label class="choice">
        {t('summaries.video')}
        <select value={chosen.value} onChange={(event) => change({ v: event.currentTarget.value, t: '' })}>
          <option value="">{t('summaries.none')}</option>
          {videos.map((asset) => (
            <option value={asset.asset}>{asset.name}</option>
          ))}
        </select>
      </label>
      {video && <SummaryOf key={video.asset} video={video} />}
    </>
  );
}

function SummaryOf({ video }: { video: Asset }) {
  const [summary, setSummary] = useState<Summary | null>(null);
  const [isMissing, setMissing] = useState(false);
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  async function load(): Promise<void> {
    try {
      const made = await request<Summary | null>('GET', `/v1/assets/${video.asset}/summary`);
      setSummary(made);
      setMissing(made === null);
    } catch (problem) {
      setError(toApiError(problem));
    }
  }
  useEffect(() => void load(), []);

  async function start(): Promise<void> {
    setError(null);
    try {
      const begun = await request<Job>('POST', '/v1/summaries', { asset: video.asset });
      const ended = await follow(begun.id, new AbortController().signal, setJob);
      if (ended.error) setError(new ApiError(500, ended.error));
      await load();
    } catch (problem) {
      setError(toApiError(problem));
    } finally {
      setJob(null);
    }
  }

  const startS = Number(time.value) || 0;
  return (
    <div class="two-parts">
      <div>
        {error && <ErrorNote error={error} again={() => void start()} />}
        {isMissing && !job && mayWrite() && (
          <button type="button" onClick={() => void start()}>
            {t('summaries.start')}
          </button>
        )}
        {job && <progress value={shareOf(job)} max={1} aria-label={t('summaries.running')} />}
        {summary && <Chapters summary={summary} />}
      </div>
      <Player key={startS} asset={video.asset} startS={startS} endS={null} loops={false} />
    </div>
  );
}

function Chapters({ summary }: { summary: Summary }) {
  const play = (seconds: number): void => change({ t: seconds.toFixed(2) }, true);
  const exported = (format: string): string => `/v1/assets/${summary.asset}/summary?format=${format}`;
  return (
    <>
      {summary.sentences.map((sentence) => (
        <p class={`sentence ${sentence.verdict}`}>
          {sentence.text}{' '}
          <button type="button" class="chip" onClick={() => play(sentence.start_s)}>
            {formatSpan(sentence.start_s, sentence.end_s)}
          </button>
        </p>
      ))}
      <ol class="chapters">
        {summary.chapters.map((chapter) => (
          <li>
            <button type="button" class="tile" onClick={() => play(chapter.start_s)}>
              <img
                src={pictureOf({ asset: summary.asset, kind: 'video', start_s: chapter.start_s, page: null }, THUMBNAIL_PX)}
                alt=""
                loading="lazy"
                width={160}
                height={90}
              />
              <span class="tile-name">{chapter.title}</span>
              <span class="tile-place">{formatSpan(chapter.start_s, chapter.end_s)}</span>
            </button>
            {chapter.sentences.map((sentence) => (
              <p class={`sentence ${sentence.verdict}`}>{sentence.text}</p>
            ))}
          </li>
        ))}
      </ol>
      <p class="actions">
        {['markdown', 'webvtt', 'json'].map((format) => (
          <a href={exported(format)} download="">
            {t('summaries.export', { format: format.toUpperCase() })}
          </a>
        ))}
      </p>
    </>
  );
}
