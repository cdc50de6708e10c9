/// What a client may ask for.
public enum Operation: String, Sendable {
  case put = "PUT"
  case get = "GET"
  case delete = "DEL"
}
