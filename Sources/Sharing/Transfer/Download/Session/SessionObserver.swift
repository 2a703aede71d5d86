/// Whoever opened a content in a session.
protocol SessionObserver: AnyObject, Sendable {
    /// Called on the session's event loop, never from within a call to the session.
    func received(_ event: SessionEvent)
}
