/** Shapes of the API, from its OpenAPI document: a route that changes fails the build. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Hit = Schemas['HitShape'];
export type Found = Schemas['SearchShape'];
export type Citation = Schemas['CitationShape'];
export type Evidence = Schemas['EvidenceShape'];
export type EvidenceEvent = Schemas['EvidenceEvent'];
export type Sentence = Schemas['SentenceShape'];
export type Answer = Schemas['AnswerShape'];
export type Asset = Schemas['AssetShape'];
export type AssetDetail = Schemas['AssetDetail'];
export type Slot = Schemas['SlotShape'];
export type Memory = Record<string, Slot[]>;
export type Text = Schemas['TextShape'];
export type Summary = Schemas['SummaryShape'];
export type Job = Schemas['JobShape'];
export type Collection = Schemas['CollectionShape'];
export type Session = Schemas['SessionShape'];
export type Problem = Schemas['Problem'];
export type SearchBody = Schemas['SearchBody'];
export type AskBody = Schemas['AskBody'];
export type Key = Schemas['KeyShape'];
export type NewKey = Schemas['NewKeyShape'];
export type KeyBody = Schemas['KeyBody'];
export type Readiness = Schemas['Readiness'];

/** A part of a list; `after` asks for the next one. */
export interface Part<Item> {
  items: Item[];
  after: string | null;
}

/** A place that can be shown: a moment of a video, a page of a document, or a picture. */
export type Place = Pick<Hit, 'asset' | 'name' | 'kind' | 'start_s' | 'end_s' | 'page' | 'box' | 'gone'>;
