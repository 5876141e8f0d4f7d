// The subpath `anneal/hub`: models and datasets by name, from the Hugging Face hub or a mirror into huggingface_hub's cache.
export { RepoCache, type RepoFile, type RepoType } from './cache.ts'
export { formatHubName, type HubName, isHubName, parseHubName } from './hub-name.ts'
export type { HubContext } from './hub-request.ts'
export { type HubSettings, hubSettings } from './hub-settings.ts'
export { downloadFiles, type Pulled, type PullOptions, pull } from './pull.ts'
export {
  type DatasetOptions,
  openDataset,
  type PulledDataset,
  pullDataset,
  type RemoteDataset,
} from './pull-dataset.ts'
export { openRepository, type Repository } from './repository.ts'
export { type Remote, type Uploaded, type UploadFile, type UploadOptions, type UploadPlan, upload } from './upload.ts'
export type { Need } from './wanted-files.ts'
