/// What ``eventually(within:_:)`` waited for.
package struct NeverHappened: Error {
    package init() {}
}

/// Looks again and again until `condition` holds.
///
/// - Throws: ``NeverHappened`` if it does not within `limit`; what `condition` throws.
package func eventually(within limit: Duration = .seconds(30), _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw NeverHappened() }
        try await Task.sleep(for: .milliseconds(2))
    }
}
