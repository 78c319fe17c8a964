# IPCMARK_PYTHON: an interpreter that has the modules the figures need. The first python3 of a user's PATH may lack
# them while the distribution's has them.
set(IPCMARK_PYTHON_MODULES matplotlib numpy jinja2)

function(ipcmark_python_has result candidate)
  list(JOIN IPCMARK_PYTHON_MODULES ", " modules)
  execute_process(COMMAND ${candidate} -c "import ${modules}" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(NOT failed EQUAL 0)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

find_program(IPCMARK_PYTHON NAMES python3 PATHS /usr/bin /usr/local/bin VALIDATOR ipcmark_python_has
  DOC "Python 3 with ${IPCMARK_PYTHON_MODULES}")
if(NOT IPCMARK_PYTHON)
  message(WARNING "No python3 with ${IPCMARK_PYTHON_MODULES} was found: reports cannot be drawn, and the Python tests are not registered")
  set(IPCMARK_PYTHON "")
endif()
