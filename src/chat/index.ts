// The subpath `anneal/chat`: answers of a conversation, with what is said, thought and called told apart. Nothing here needs LibTorch.
export {
  type ChatAnswer,
  type ChatDelta,
  type ChatFinishReason,
  type ChatPiece,
  type ChatRequest,
  type ChatUsage,
  chat,
  collectChat,
  type Tool,
  type ToolCall,
  type ToolChoice,
} from './chat.ts'
