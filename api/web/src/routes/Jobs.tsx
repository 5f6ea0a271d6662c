import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, toApiError } from '../api/client';
import type { Job, Part } from '../api/types';
import { ErrorNote } from '../parts/ErrorNote';
import { formatDate } from '../state/format';
import { isEnded, shareOf } from '../state/jobs';
import { t, type MessageKey } from '../state/messages';
import { mayWrite } from '../state/session';

/** Chosen: often enough to see progress, seldom enough not to be felt by the server. */
const REFRESH_MS = 2000;

/** What the server works on, and has worked on. */
export function Jobs() {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  async function load(): Promise<void> {
    try {
      setJobs((await request<Part<Job>>('GET', '/v1/jobs')).items);
      setError(null);
    } catch (problem) {
      setError(toApiError(problem));
    }
  }
  useEffect(() => {
    void load();
    const timer = setInterval(() => {
      if (!document.hidden) void load();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);

  async function act(job: Job, action: 'cancel' | 'retry'): Promise<void> {
    try {
      await request('POST', `/v1/jobs/${job.id}/${action}`);
    } catch (problem) {
      setError(toApiError(problem));
    }
    await load();
  }

  return (
    <>
      <h1>{t('jobs.title')}</h1>
      {error && <ErrorNote error={error} again={() => void load()} />}
      {jobs && !jobs.length && <p>{t('jobs.none')}</p>}
      <ul class="jobs">
        {jobs?.map((job) => (
          <li key={job.id}>
            <span class="job-what">
              {t(`jobs.kind.${job.kind}` as MessageKey)} {subjectOf(job)}
            </span>
            <span>{t(`jobs.state.${job.state}` as MessageKey)}</span>
            <span class="quiet">{formatDate(job.created_at)}</span>
            {!isEnded(job) && <progress value={shareOf(job)} max={1} aria-label={subjectOf(job)} />}
            {job.error && <span class="error">{job.error}</span>}
            {mayWrite() && !isEnded(job) && (
              <button type="button" class="quiet" onClick={() => void act(job, 'cancel')}>
                {t('jobs.cancel')}
              </button>
            )}
            {mayWrite() && (job.state === 'failed' || job.state === 'cancelled') && (
              <button type="button" class="quiet" onClick={() => void act(job, 'retry')}>
                {t('jobs.retry')}
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function subjectOf(job: Job): string {
  const { name, uri } = job.request;
  const whole = typeof name === 'string' && name ? name : typeof uri === 'string' ? uri : (job.asset_id ?? '');
  return whole.split('/').at(-1) ?? '';
}
