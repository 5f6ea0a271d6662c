/** Files on their way to the server: resumable (tus), also after the page was reloaded. */
import { signal } from '@preact/signals';

import { request, toApiError } from '../api/client';
import type { Job } from '../api/types';

export interface Sending {
  name: string;
  share: number;
  error: string;
  job: string;
}

export const sendings = signal<Sending[]>([]);

/** Chosen: a lost connection costs at most this much, and a proxy's limit of bodies is mostly above it. */
const CHUNK_BYTES = 8 * 2 ** 20;
const RETRY_MS = [0, 1000, 3000, 10000, 30000];

/** Send files into a collection, one after the other; one that was sent in part goes on where it stopped. */
export async function sendFiles(files: File[], collection: string): Promise<void> {
  const { Upload } = await import('tus-js-client');
  // All are listed at once, so that none seems forgotten while the first ones are sent.
  const waiting = files.map((file) => ({ file, update: addSending(file.name) }));
  for (const { file, update } of waiting) {
    await new Promise<void>((resolve) => {
      const upload = new Upload(file, {
        endpoint: '/v1/uploads/tus',
        chunkSize: CHUNK_BYTES,
        retryDelays: RETRY_MS,
        metadata: { filename: file.name, collection },
        removeFingerprintOnSuccess: true,
        onProgress: (sent, total) => update({ share: total ? sent / total : 1 }),
        onAfterResponse: (_request, response) => {
          const job = response.getHeader('Afterimage-Job');
          if (job) update({ job });
        },
        onSuccess: () => {
          update({ share: 1 });
          resolve();
        },
        onError: (error) => {
          update({ error: error.message });
          resolve();
        },
      });
      void upload.findPreviousUploads().then(([previous]) => {
        if (previous) upload.resumeFromPreviousUpload(previous);
        upload.start();
      });
    });
  }
}

/** Have the server index a file or folder of its own, or an address. */
export async function importSource(source: string, collection: string): Promise<void> {
  const update = addSending(source);
  try {
    const job = await request<Job>('POST', '/v1/imports', { source, collection });
    update({ share: 1, job: job.id });
  } catch (problem) {
    update({ error: toApiError(problem).message });
  }
}

/** Return the files that were dropped, those of folders and their folders too. */
export async function filesOf(dropped: DataTransfer | null): Promise<File[]> {
  const entries = [...(dropped?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) return [await new Promise<File>((resolve, reject) => entry.file(resolve, reject))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  // A reader gives a part at a time, and none at the end.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return files;
    files.push(...(await Promise.all(part.map(filesBelow))).flat());
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

/** List a file that is sent; returns what changes its line. */
function addSending(name: string): (values: Partial<Sending>) => void {
  const number = sendings.value.length;
  sendings.value = [...sendings.value, { name, share: 0, error: '', job: '' }];
  return (values) => {
    sendings.value = sendings.value.map((each, other) => (other === number ? { ...each, ...values } : each));
  };
}
