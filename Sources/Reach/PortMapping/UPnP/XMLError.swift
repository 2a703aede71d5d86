/// A document that is not read: broken, or beyond what a gateway needs.
enum XMLError: Error, Hashable {
    case tooLarge
    case tooDeep
    case tooManyElements
    case tooLongName
    case tooLongText
    /// `<!DOCTYPE`, `<!ENTITY` and the like: never, whatever they say.
    case declaration
    /// Any but the five predefined ones and characters by number.
    case entity
    case malformed
    case truncated
}
