// The subpath `anneal/chat`: answers of a conversation, with what is said, thought and called told apart. Nothing here needs LibTorch.
export {
  type ChatAnswer,
  type ChatDelta,
  type ChatFinishReason,
  type ChatPiece,
  type ChatUsage,
  collectChat,
  type ToolCall,
} from './answer.ts'
export { chat } from './chat.ts'
export { chatNotices, chatPrompt } from './plan.ts'
export type { ChatRequest, Tool, ToolChoice } from './request.ts'
export { TOOLS_TEXT } from './spelled-tools.ts'
