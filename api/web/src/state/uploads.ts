/** Files on their way to the server: resumable (tus), also after the page was reloaded. */
import { signal } from '@preact/signals';

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
  for (const file of files) {
    const number = sendings.value.length;
    sendings.value = [...sendings.value, { name: file.name, share: 0, error: '', job: '' }];
    const update = (values: Partial<Sending>): void => {
      sendings.value = sendings.value.map((each, other) => (other === number ? { ...each, ...values } : each));
    };
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
