/** Jobs: how far each has come, and following one until it ends. */
import { request } from '../api/client';
import { stream } from '../api/events';
import type { Job } from '../api/types';

const ENDED: readonly string[] = ['done', 'failed', 'cancelled'];

export function isEnded(job: Job): boolean {
  return ENDED.includes(job.state);
}

export function shareOf(job: Job): number {
  if (isEnded(job)) return 1;
  const { done, total } = job.progress;
  return total ? done / total : 0;
}

/** Tell of a job whenever something happens to it, until it ends; returns it as it was then. */
export async function follow(id: string, signal: AbortSignal, tell: (job: Job) => void): Promise<Job> {
  let job = await request<Job>('GET', `/v1/jobs/${id}`, undefined, signal);
  tell(job);
  for await (const event of stream('GET', `/v1/jobs/${id}/events`, undefined, signal)) {
    job = event.name === 'job' ? (event.data as Job) : await request<Job>('GET', `/v1/jobs/${id}`, undefined, signal);
    tell(job);
  }
  return job;
}
